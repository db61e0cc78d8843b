package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
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
