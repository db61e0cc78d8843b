package instanseg.export.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.ProcessMemory;
import instanseg.export.protocol.Session;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** 200 predictions of changing size do not make the process grow. */
public abstract class MemoryContract {

    private static final int SIZES = 20;
    private static final int WARM_UP_ROUNDS = 3;
    private static final int ROUNDS = 10;
    private static final double ALLOWED_GROWTH = 0.01;

    /** Loads the model of a package. */
    protected abstract Session open(Path folder) throws Exception;

    @Test
    void twoHundredPredictionsOfChangingSize() throws Exception {
        Assumptions.assumeTrue(ProcessMemory.current().isPresent(), "this system does not tell the memory of a process");
        Path folder = Packages.all().get(0);
        NumpyArray sample = Packages.expected(folder, "sample_fluorescence").image();
        Random random = new Random(1);
        List<NumpyArray> images = new ArrayList<>();
        for (int index = 0; index < SIZES; index++) {
            images.add(Images.repeat(sample, 30 + random.nextInt(130), 30 + random.nextInt(130)));
        }
        try (Session session = open(folder)) {
            List<NumpyArray> expected = new ArrayList<>();
            for (int round = 0; round < WARM_UP_ROUNDS; round++) {
                expected.clear();
                images.forEach(image -> expected.add(session.run(image).get(Session.RESULT)));
            }
            double before = nativeMegabytes();
            for (int round = 0; round < ROUNDS; round++) {
                for (int index = 0; index < SIZES; index++) {
                    assertEquals(expected.get(index), session.run(images.get(index)).get(Session.RESULT));
                }
            }
            double after = nativeMegabytes();
            double growth = (after - before) / before;
            System.out.printf("native memory: %.1f MB before and %.1f MB after 200 predictions%n", before, after);
            assertTrue(growth < ALLOWED_GROWTH, String.format("it grew by %.2f %%", 100 * growth));
        }
    }

    /** All memory but the heap, whose pages the JVM touches at its start, so that its share is constant. */
    private static double nativeMegabytes() throws InterruptedException {
        for (int turn = 0; turn < 3; turn++) {
            System.gc(); // frees direct buffers that nobody uses any more
            Thread.sleep(100);
        }
        return ProcessMemory.current().orElseThrow() - Runtime.getRuntime().totalMemory() / 1e6;
    }
}
