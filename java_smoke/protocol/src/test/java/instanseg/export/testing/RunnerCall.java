package instanseg.export.testing;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Npy;
import instanseg.export.protocol.Runner;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** One call of a runner's program, with its input and output files in a folder. */
public final class RunnerCall {

    private final Path folder;
    private final List<String> inputs = new ArrayList<>();
    private final List<String> outputs = new ArrayList<>();
    private final ByteArrayOutputStream said = new ByteArrayOutputStream();

    /** Without an image yet. */
    public RunnerCall(Path folder) {
        this.folder = folder;
    }

    /** Adds an image. */
    public RunnerCall image(NumpyArray image) throws IOException {
        Path path = next();
        try (OutputStream stream = Files.newOutputStream(path)) {
            Npy.write(stream, image);
        }
        return this;
    }

    /** Adds the path of an image that is not there. */
    public RunnerCall missingImage() {
        next();
        return this;
    }

    /** Runs the program and returns its exit status. */
    public int run(Runner.Opener opener, String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.add("--input");
        all.addAll(inputs);
        all.add("--output");
        all.addAll(outputs);
        return serve(opener, InputStream.nullInputStream(), all);
    }

    /** Runs the program with the images on its stdin, and then more lines, and returns its exit status. */
    public int stream(Runner.Opener opener, List<String> more, String... arguments) {
        StringBuilder lines = new StringBuilder();
        for (int index = 0; index < inputs.size(); index++) {
            JsonObject row = new JsonObject();
            row.addProperty("input", inputs.get(index));
            row.addProperty("output", outputs.get(index));
            lines.append(row).append('\n');
        }
        more.forEach(line -> lines.append(line).append('\n'));
        List<String> all = new ArrayList<>(List.of(arguments));
        all.add("--stream");
        return serve(opener, new ByteArrayInputStream(lines.toString().getBytes(StandardCharsets.UTF_8)), all);
    }

    private int serve(Runner.Opener opener, InputStream images, List<String> arguments) {
        PrintStream lines = new PrintStream(said, true, StandardCharsets.UTF_8);
        return new Runner("test", images, lines).serve(opener, arguments.toArray(String[]::new));
    }

    /** What it said. */
    public List<JsonObject> lines() {
        return said.toString(StandardCharsets.UTF_8)
                .lines()
                .map(line -> JsonParser.parseString(line).getAsJsonObject())
                .toList();
    }

    /** The file for the results of an image. */
    public Path output(int index) {
        return Path.of(outputs.get(index));
    }

    private Path next() {
        Path path = folder.resolve("image-" + inputs.size() + ".npy");
        inputs.add(path.toString());
        outputs.add(path + ".npz");
        return path;
    }
}
