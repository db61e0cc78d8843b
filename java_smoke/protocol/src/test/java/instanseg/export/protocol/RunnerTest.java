package instanseg.export.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import instanseg.export.testing.RunnerCall;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The protocol's promises, with models that break theirs. */
class RunnerTest {

    private static final NumpyArray IMAGE = NumpyArray.of(new float[] {1, 2}, 1, 1, 1, 2);

    @TempDir
    private Path work;

    /** A model in one line. */
    private record Model(UnaryOperator<NumpyArray> body) implements Session {
        @Override
        public String version() {
            return "1";
        }

        @Override
        public String device() {
            return "cpu";
        }

        @Override
        public Map<String, NumpyArray> run(NumpyArray image) {
            return Map.of(RESULT, body.apply(image));
        }

        @Override
        public void close() {}
    }

    private JsonObject lastLine(int status, Runner.Opener opener, NumpyArray image, String... arguments) throws Exception {
        RunnerCall call = new RunnerCall(work).image(image);
        assertEquals(status, call.run(opener, arguments));
        return call.lines().get(call.lines().size() - 1);
    }

    private String error(Runner.Opener opener, NumpyArray image) throws Exception {
        return lastLine(1, opener, image, "--model", "m").get("error").getAsString();
    }

    @Test
    void reportsAnImageAndItsFile() throws Exception {
        JsonObject line = lastLine(0, request -> new Model(image -> image), IMAGE, "--model", "m");
        assertEquals("[1,1,1,2]", line.getAsJsonObject("outputs").get(Session.RESULT).toString());
        assertTrue(Files.exists(work.resolve("image-0.npy.npz")));
    }

    @Test
    void imagesOnStdinAreAnsweredOneByOne() throws Exception {
        RunnerCall call = new RunnerCall(work).image(IMAGE).missingImage().image(IMAGE);
        assertEquals(1, call.stream(request -> new Model(image -> image), List.of(), "--model", "m"));
        assertEquals(4, call.lines().size());
        assertTrue(call.lines().get(2).has("error"));
        assertFalse(call.lines().get(3).has("error"));
        assertTrue(Files.exists(call.output(2)));
    }

    @Test
    void stagesAreLoadedForTheImagesFromAPlaceOn() throws Exception {
        RunnerCall call = new RunnerCall(work).image(IMAGE).missingImage().image(IMAGE);
        List<Boolean> opened = new ArrayList<>();
        Runner.Opener opener = request -> {
            opened.add(request.stages());
            return new Model(image -> image);
        };
        assertEquals(1, call.run(opener, "--model", "m", "--stages-from", "2"));
        assertEquals(List.of(false, true), opened);
        assertEquals(4, call.lines().size());
        assertTrue(call.lines().get(2).has("error"));
        assertTrue(Files.exists(call.output(2)));
    }

    @Test
    void aLineOfStdinThatNamesNoImageEndsTheProgram() throws Exception {
        RunnerCall call = new RunnerCall(work).image(IMAGE);
        assertEquals(1, call.stream(request -> new Model(image -> image), List.of("{}", "{}"), "--model", "m"));
        assertEquals(3, call.lines().size());
        JsonObject last = call.lines().get(2);
        assertTrue(last.get("input").isJsonNull());
        assertTrue(last.get("error").getAsString().contains("no line of images: {}"));
    }

    @Test
    void aModelMayNotWriteToItsInput() throws Exception {
        Runner.Opener opener = request -> new Model(image -> {
            image.data().putFloat(0, 5);
            return image;
        });
        assertTrue(error(opener, IMAGE).contains("wrote to its input"));
    }

    @Test
    void anImageOfAnotherShapeIsRefused() throws Exception {
        String error = error(request -> new Model(image -> image), NumpyArray.of(new float[2], 2));
        assertEquals("IllegalArgumentException: the image must be float32 (B, C, [D,] H, W), not FLOAT32 [2]", error);
    }

    @Test
    void whatAModelThrowsCostsOneImage() throws Exception {
        Runner.Opener opener = request -> new Model(image -> {
            throw new ModelException("too small", null);
        });
        RunnerCall call = new RunnerCall(work).image(IMAGE).image(IMAGE);
        assertEquals(1, call.run(opener, "--model", "m"));
        assertEquals(3, call.lines().size());
        assertEquals("ModelException: too small", call.lines().get(2).get("error").getAsString());
    }

    @Test
    void aLibraryThatDoesNotLoadIsTheMachinesLack() throws Exception {
        Runner.Opener opener = request -> {
            throw new UnsatisfiedLinkError("no libtorch");
        };
        JsonObject line = lastLine(1, opener, IMAGE, "--model", "m");
        assertTrue(line.get("unavailable").getAsBoolean());
        assertTrue(line.get("input").isJsonNull());
    }

    @Test
    void aWrongCommandLineIsSaid() throws Exception {
        Runner.Opener opener = request -> new Model(image -> image);
        assertFalse(lastLine(2, opener, IMAGE).get("unavailable").getAsBoolean());
        assertTrue(said(opener, "--model", "m", "--colour").contains("there is no option --colour"));
        assertTrue(said(opener, "--model", "a", "b").contains("--model needs one value"));
        assertTrue(said(opener, "--model", "m", "--stream").contains("either --stream is needed"));
        assertTrue(said(opener, "--model", "m", "--settings", "[1]").contains("--settings needs a JSON object"));
    }

    private String said(Runner.Opener opener, String... arguments) throws Exception {
        return lastLine(2, opener, IMAGE, arguments).get("error").getAsString();
    }
}
