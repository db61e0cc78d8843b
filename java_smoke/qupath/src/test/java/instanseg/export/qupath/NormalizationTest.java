package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;

class NormalizationTest {

    @Test
    void givesWhatNumpyGives() throws Exception {
        Path folder = Python.folder("nuclei_cells_channelnet");
        Image raw = Python.image(folder, "five_channels");
        Image expected = Python.image(folder, "five_channels_as_qupath_normalises_them");
        float[] pixels = raw.read(raw.region());
        Normalization.of(raw, raw.region()).apply(pixels);
        assertArrayEquals(expected.read(expected.region()), pixels, 1e-4f);
    }

    @Test
    void aLargeColourImageIsMeasuredOnACopyThatSkipsPixels() {
        // Every fourth column is bright; a copy of a quarter of the width looks at the two in the middle of each four.
        Image image = columns(3, 4096, 4, 255);
        assertEquals(0, upper(Normalization.of(image, image.region())), 1e-3);
        assertEquals(255, upper(Normalization.ofAllPixels(image)), 1e-3);
        Region narrow = new Region(0, 0, 1024, 8);
        assertEquals(255, upper(Normalization.of(image, narrow)), 1e-3, "up to 1024 pixels nothing is shrunk");
    }

    @Test
    void aLargeImageOfOtherTypesIsAveraged() {
        Image image = columns(2, 4096, 4, 1000);
        double averaged = upper(Normalization.of(image, image.region()));
        assertTrue(averaged > 200 && averaged < 300, "a quarter of 1000, but " + averaged);
        assertEquals(1000, upper(Normalization.ofAllPixels(image)), 1e-3);
    }

    @Test
    void chosenChannelsAreMeasuredInTheirOrder() {
        float[] pixels = {0, 1, 2, 3, 0, 10, 20, 30, 0, 100, 200, 300};
        Image image = new Image(3, 2, 2, pixels, OptionalDouble.empty());
        float[] values = {300, 3};
        Normalization.of(image, image.region(), 2, 0).apply(values);
        assertArrayEquals(new float[] {1, 1}, values, 0.01f);
    }

    @Test
    void theClientMeasuresTheOriginalAndNotWhatIsRescaled() throws Exception {
        Path folder = Python.folder("nuclei_batchnorm");
        Image image = Python.image(folder, "sample_histology");
        ModelFolder model = ModelFolder.open(folder);
        InstanSegClient client = InstanSegClient.builder(model).downsample(2).build();
        Normalization original = Normalization.ofAllPixels(image);
        Normalization rescaled = Normalization.ofAllPixels(image.resample(2));
        assertNotEquals(upper(original), upper(rescaled), 0.1);

        List<DetectedObject> found = client.detectObjects(image).objects();
        assertEquals(found, client.detectObjects(image, image.region(), original).objects());
        assertNotEquals(found, client.detectObjects(image, image.region(), rescaled).objects());
    }

    /** An image of 8 rows in which one column of some is bright. */
    private static Image columns(int channels, int width, int every, float bright) {
        float[] pixels = new float[channels * 8 * width];
        for (int place = 0; place < pixels.length; place++) {
            pixels[place] = place % width % every == 0 ? bright : 0;
        }
        return new Image(channels, 8, width, pixels, OptionalDouble.empty());
    }

    /** Returns the upper percentile of the first channel: what becomes 1. */
    private static double upper(Normalization normalization) {
        return normalization.upper(0);
    }

    @Test
    void aFlatChannelAndValuesThatAreNoNumbersDoNoHarm() {
        float[] pixels = {5, 5, 5, 5, Float.NaN, 0, 1, 2};
        Image image = new Image(2, 2, 2, pixels.clone(), OptionalDouble.empty());
        Normalization.of(image, image.region()).apply(pixels);
        for (int place = 0; place < 4; place++) {
            assertEquals(0, pixels[place], 0.5);
        }
        assertEquals(0.5, pixels[6], 1e-3);
    }
}
