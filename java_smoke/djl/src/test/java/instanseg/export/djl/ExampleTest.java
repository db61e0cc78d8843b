package instanseg.export.djl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Session;
import instanseg.export.testing.Case;
import instanseg.export.testing.Packages;
import instanseg.export.testing.Readme;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The example of the README runs, and finds what the runner finds with the same setting. */
class ExampleTest {

    @Test
    void findsWhatTheRunnerFinds() throws Exception {
        Path file = Packages.all().get(0).resolve("instanseg.pt");
        Case sample = Packages.expected(file.getParent(), "sample_fluorescence");
        long[] shape = sample.image().shape();
        float[] labels =
                Example.segment(file, sample.image().floats(), (int) shape[1], (int) shape[2], (int) shape[3]);
        try (DjlSession session = DjlSession.open(file)) {
            Map<String, NumpyArray> settings = Map.of("seed_threshold", NumpyArray.of(new float[] {0.8f}));
            assertArrayEquals(session.run(sample.image(), settings).get(Session.RESULT).floats(), labels);
        }
        assertFalse(Arrays.equals(sample.labels().floats(), labels), "the setting has no effect");
    }

    @Test
    void isTheReadmes() throws Exception {
        assertTrue(Readme.shows("djl/src/test/java/instanseg/export/djl/Example.java"));
    }
}
