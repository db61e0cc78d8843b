package instanseg.export.djl;

import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.NoopTranslator;
import java.nio.file.Path;

/** The example of the README, word for word between the marks. */
final class Example {

    private Example() {}

    static float[] segment(Path file, float[] pixels, int channels, int height, int width) throws Exception {
        // README begins
        Criteria<NDList, NDList> criteria = Criteria.builder()
                .setTypes(NDList.class, NDList.class)
                .optEngine("PyTorch")
                .optModelPath(file) // .../instanseg.pt
                .optTranslator(new NoopTranslator(null)) // null: the image brings its own batch axis
                .build();
        try (ZooModel<NDList, NDList> model = criteria.loadModel();
                Predictor<NDList, NDList> predictor = model.newPredictor();
                NDManager manager = model.getNDManager().newSubManager()) {
            // Raw values, channel by channel and row by row: the model rescales them itself, and takes any size.
            NDArray image = manager.create(pixels, new Shape(1, channels, height, width));
            NDArray threshold = manager.create(0.8f); // settings are optional
            threshold.setName("args.seed_threshold");
            NDArray labels = predictor.predict(new NDList(image, threshold)).singletonOrThrow();
            // (1, structures, height, width): 0 is background, each object has an id from 1 on.
            return labels.toFloatArray();
        }
        // README ends
    }
}
