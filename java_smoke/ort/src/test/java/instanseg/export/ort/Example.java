package instanseg.export.ort;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.Map;

/** The example of the README, word for word between the marks. */
final class Example {

    private Example() {}

    static float[] segment(Path file, float[] pixels, int channels, int height, int width) throws Exception {
        // README begins
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        long[] shape = {1, channels, height, width};
        // Raw values, channel by channel and row by row: the model rescales them itself, and takes any size.
        try (OrtSession.SessionOptions options = new OrtSession.SessionOptions();
                OnnxTensor threshold = OnnxTensor.createTensor(environment, 0.8f);
                OnnxTensor image = OnnxTensor.createTensor(environment, FloatBuffer.wrap(pixels), shape)) {
            // Settings are optional. In Java they hold for all runs of a session.
            options.addInitializer("seed_threshold", threshold);
            try (OrtSession session = environment.createSession(file.toString(), options); // .../model.onnx
                    OrtSession.Result result = session.run(Map.of("image", image))) {
                // (1, structures, height, width): 0 is background, each object has an id from 1 on.
                FloatBuffer labels = ((OnnxTensor) result.get(0)).getFloatBuffer();
                float[] ids = new float[labels.remaining()];
                labels.get(ids);
                return ids;
            }
        }
        // README ends
    }
}
