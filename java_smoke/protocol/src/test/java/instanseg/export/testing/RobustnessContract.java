package instanseg.export.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import instanseg.export.protocol.ElementType;
import instanseg.export.protocol.ModelException;
import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Session;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/** What every runtime must bear: a wrong answer, a dead JVM or a vague message fails. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
public abstract class RobustnessContract {

    private static final int LARGE = 4096;

    private Path folder;
    private Case sample;
    private Session session;

    /** Loads the model of a package. */
    protected abstract Session open(Path folder) throws Exception;

    @BeforeAll
    final void load() throws Exception {
        folder = Packages.all().stream()
                .filter(one -> Packages.expected(one, "sample_fluorescence").image().shape()[1] == 3)
                .findFirst()
                .orElseThrow();
        sample = Packages.expected(folder, "sample_fluorescence");
        session = open(folder);
    }

    @AfterAll
    final void close() {
        session.close();
    }

    @Test
    void aWrongNumberOfChannelsIsSaid() {
        NumpyArray image = NumpyArray.zeros(ElementType.FLOAT32, 1, 2, 64, 64);
        String message = assertThrows(ModelException.class, () -> session.run(image)).getMessage();
        assertTrue(message.matches("(?s).*\\b3\\b.*"), message);
        assertTrue(message.matches("(?s).*\\b2\\b.*"), message);
        assertTrue(message.lines().count() == 1, message);
        worksAsBefore();
    }

    @Test
    void anEmptyImageIsSaid() {
        for (long[] shape : new long[][] {{1, 3, 0, 64}, {1, 3, 64, 0}, {0, 3, 64, 64}}) {
            NumpyArray image = NumpyArray.zeros(ElementType.FLOAT32, shape);
            String message = assertThrows(ModelException.class, () -> session.run(image)).getMessage();
            assertTrue(message.contains("the image is empty"), message);
        }
        worksAsBefore();
    }

    @Test
    void aTileWithoutObjectsHasNone() {
        NumpyArray labels = session.run(NumpyArray.zeros(ElementType.FLOAT32, 1, 3, 512, 512)).get(Session.RESULT);
        assertEquals(NumpyArray.zeros(ElementType.FLOAT32, 1, 1, 512, 512), labels);
    }

    @Test
    void twoThreadsFindWhatOneFinds() throws Exception {
        try (Session second = open(folder)) {
            ExecutorService threads = Executors.newFixedThreadPool(2);
            try {
                List<Future<NumpyArray>> found = new ArrayList<>();
                for (int turn = 0; turn < 4; turn++) {
                    // Two models side by side, and one model in both threads.
                    Session one = turn % 2 == 0 ? session : turn == 1 ? second : session;
                    found.add(threads.submit(() -> one.run(sample.image()).get(Session.RESULT)));
                }
                for (Future<NumpyArray> labels : found) {
                    assertEquals("", Agreement.difference(sample.labels(), labels.get()));
                    assertEquals(found.get(0).get(), labels.get());
                }
            } finally {
                threads.shutdownNow();
            }
        }
    }

    @Test
    @EnabledIfSystemProperty(named = "large.tile", matches = "true", disabledReason = "one version of each library does")
    void aLargeTileIsRight() {
        NumpyArray image = Images.repeat(sample.image(), LARGE, LARGE);
        NumpyArray labels = session.run(image).get(Session.RESULT);
        int period = (int) sample.image().shape()[2];
        // The image repeats itself, so what is found inside of it does too.
        int[] first = objects(labels, 4 * period, 4 * period, period);
        int[] last = objects(labels, 10 * period, 10 * period, period);
        assertTrue(first[0] > 10, first[0] + " instances in one period");
        assertEquals(first[0], last[0]);
        assertEquals(first[1], last[1], 1e-3 * first[1]);
        int expected = Agreement.instances(sample.labels()) * (LARGE / period) * (LARGE / period);
        assertEquals(expected, Agreement.instances(labels), 0.1 * expected);
    }

    /** Counts instances and foreground pixels in a window of a label map (1, 1, H, W). */
    private static int[] objects(NumpyArray labels, int row, int column, int size) {
        NumpyArray window = Images.window(labels, row, column, size, size);
        int pixels = 0;
        for (float label : window.floats()) {
            pixels += label > 0 ? 1 : 0;
        }
        return new int[] {Agreement.instances(window), pixels};
    }

    private void worksAsBefore() {
        NumpyArray labels = session.run(sample.image()).get(Session.RESULT);
        assertEquals("", Agreement.difference(sample.labels(), labels));
    }
}
