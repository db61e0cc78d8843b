package instanseg.export.djl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Npz;
import instanseg.export.testing.Agreement;
import instanseg.export.testing.Case;
import instanseg.export.testing.Packages;
import instanseg.export.testing.RunnerCall;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The program: its JSON lines, its files and its exit status. */
class RunnerTest {

    private final Path folder = Packages.all().get(0);
    private final Path model = folder.resolve("instanseg.pt");

    @TempDir
    private Path work;

    @Test
    void givesLabelsAndStages() throws Exception {
        Case expected = Packages.expected(folder, "odd_sizes");
        RunnerCall call = new RunnerCall(work).image(expected.image()).missingImage();
        int status = call.run(DjlSession::open, "--model", model.toString(), "--stages", "--repeat", "2");

        assertEquals(1, status);
        List<JsonObject> lines = call.lines();
        assertEquals(3, lines.size());
        assertTrue(lines.get(0).get("ready").getAsBoolean());
        assertEquals(2, lines.get(1).getAsJsonArray("run_s").size());
        assertTrue(lines.get(1).get("version").getAsString().startsWith("libtorch "));
        assertTrue(lines.get(2).get("error").getAsString().startsWith("NoSuchFileException"));

        Map<String, NumpyArray> results = Npz.read(call.output(0));
        assertEquals("", Agreement.difference(expected.labels(), results.get("instance_segmentation")));
        assertEquals(results.get("instance_segmentation"), results.get("stage.labels"));
        for (String stage : List.of("normalize", "network", "seeds", "cluster", "paint")) {
            assertTrue(results.containsKey("stage." + stage), "there is no stage " + stage);
        }
        assertEquals(2, results.get("stage.seeds").shape().length);
    }

    @Test
    void sendsSettings() throws Exception {
        Case expected = Packages.expected(folder, "with_min_size");
        long size = (long) expected.settings().get("min_size").at(0);
        RunnerCall call = new RunnerCall(work).image(expected.image());
        assertEquals(
                0,
                call.run(
                        DjlSession::open,
                        "--model",
                        model.toString(),
                        "--settings",
                        "{\"min_size\": " + size + ", \"normalize\": \"auto\"}"));
        NumpyArray found = Npz.read(call.output(0)).get("instance_segmentation");
        assertEquals("", Agreement.difference(expected.labels(), found));
    }

    @Test
    void saysWhatIsWrongInOneLine() throws Exception {
        assertEquals("IllegalArgumentException: the file has no setting colour", failure("--settings", "{\"colour\": 1}"));
        assertTrue(failure("--device", "cuda").startsWith("UnavailableException: libtorch was built here for the CPU"));
        Path garbage = Files.writeString(work.resolve("garbage.pt"), "not a model");
        RunnerCall call = new RunnerCall(work).image(NumpyArray.of(new float[3], 1, 3, 1, 1));
        assertEquals(1, call.run(DjlSession::open, "--model", garbage.toString()));
        JsonObject line = call.lines().get(0);
        assertTrue(line.get("error").getAsString().contains("is not a TorchScript file"), line.toString());
        assertFalse(line.get("unavailable").getAsBoolean());
    }

    private String failure(String... more) throws Exception {
        RunnerCall call = new RunnerCall(work).image(NumpyArray.of(new float[3], 1, 3, 1, 1));
        String[] arguments = {"--model", model.toString(), more[0], more[1]};
        assertEquals(1, call.run(DjlSession::open, arguments));
        JsonObject line = call.lines().get(0);
        assertTrue(line.get("input").isJsonNull());
        return line.get("error").getAsString();
    }
}
