package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Device;
import ai.djl.inference.Predictor;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import instanseg.export.protocol.NumpyArray;
import instanseg.export.testing.Agreement;
import instanseg.export.testing.Packages;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** One tile that covers the image: the very labels of Python. */
@Timeout(300)
class WholeImageTest {

    @ParameterizedTest
    @CsvSource({
        "nuclei_batchnorm, large/histology_as_qupath_normalises_it",
        "nuclei_cells_channelnet, five_channels_as_qupath_normalises_them",
    })
    void oneTileGivesTheLabelsAndTheObjectsOfPython(String name, String expected) throws Exception {
        Path folder = Python.folder(name);
        Image image = Python.image(folder, expected);
        ModelFolder model = ModelFolder.open(folder);

        Prediction prediction = predict(model, image);
        float[] labels = new float[prediction.labels().length];
        for (int place = 0; place < labels.length; place++) {
            labels[place] = prediction.labels()[place];
        }
        NumpyArray python = Packages.expected(folder, expected).labels();
        assertTrue(Agreement.instances(python) > 0);
        assertEquals("", Agreement.difference(python, NumpyArray.of(labels, python.shape())));

        List<DetectedObject> objects = Python.objects(folder, expected, 0, 0);
        Region region = image.region();
        Stitcher stitcher = new Stitcher(model.outputs(), region, region);
        stitcher.add(region, prediction);
        int count = objects.size();
        assertEquals(new Comparison(count, count, count, count), Comparison.ofOutlines(stitcher.objects(), objects));
    }

    private static Prediction predict(ModelFolder model, Image image) throws Exception {
        Region region = image.region();
        float[] pixels = image.read(region);
        try (ZooModel<TileTranslator.Tile, Prediction> loaded = Criteria.builder()
                        .setTypes(TileTranslator.Tile.class, Prediction.class)
                        .optModelUrls(model.weights().toUri().toString())
                        .optDevice(Device.cpu())
                        .optTranslator(new TileTranslator(Map.of(), Optional.empty()))
                        .build()
                        .loadModel();
                Predictor<TileTranslator.Tile, Prediction> predictor = loaded.newPredictor()) {
            return predictor.predict(
                    new TileTranslator.Tile(image.channels(), region.height(), region.width(), pixels));
        }
    }

    @ParameterizedTest
    @CsvSource({"0, nuclei", "1, cells"})
    void oneOutputIsWhatWasChosen(int channel, String structure) throws Exception {
        Path folder = Python.folder("nuclei_cells_channelnet");
        Image image = Python.image(folder, "five_channels");
        ModelFolder model = ModelFolder.open(folder);
        List<DetectedObject> found = InstanSegClient.builder(model)
                .outputChannels(channel)
                .build()
                .detectObjects(image)
                .objects();
        // Python was given the raw image, whose brightest pixels are clipped a little later: 3 in place of 1.5.
        List<DetectedObject> python = Python.objects(folder, "five_channels_" + structure, 0, 0);
        assertTrue(found.stream().allMatch(object -> object.nucleus().isEmpty()));
        int count = python.size();
        assertEquals(new Comparison(count, count, count, count), Comparison.ofOutlines(found, python));
    }
}
