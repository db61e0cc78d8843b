package instanseg.export.protocol;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The runtime protocol: one JSON object per line, first {@code {"ready": true, ...}} when the model is loaded, then one
 * per image as it finishes. An object with {@code error} stands for an image that failed or, when its {@code input} is
 * null, for the end of the program; {@code unavailable} then says that the machine or the format lacks what was asked
 * for, rather than that the file is at fault.
 */
public final class Runner {

    private static final Gson GSON =
            new GsonBuilder().serializeNulls().disableHtmlEscaping().create();

    private final String runtime;
    private final InputStream images;
    private final PrintStream lines;

    /** Loads a model. */
    @FunctionalInterface
    public interface Opener {
        /**
         * Loads a model.
         *
         * @throws UnavailableException if the machine or the format lacks what is asked for
         * @throws Exception if the file is at fault
         */
        Session open(Request request) throws Exception;
    }

    /**
     * A runner.
     *
     * @param runtime the name to report
     * @param images where, with {@code --stream}, the images come from: a JSON object with {@code input} and
     *     {@code output} per line
     * @param lines where the JSON lines go
     */
    public Runner(String runtime, InputStream images, PrintStream lines) {
        this.runtime = runtime;
        this.images = images;
        this.lines = lines;
    }

    /**
     * The main method of a runner: keeps stdout for the JSON lines, so that what libraries print goes to stderr, and
     * ends the program.
     */
    public static void main(String runtime, Opener opener, String... arguments) {
        PrintStream lines = System.out;
        System.setOut(System.err);
        System.exit(new Runner(runtime, System.in, lines).serve(opener, arguments));
    }

    /** Does what the command line asks and returns the exit status: 0 when every image was run. */
    public int serve(Opener opener, String... arguments) {
        CommandLine command;
        try {
            command = CommandLine.parse(arguments);
        } catch (IllegalArgumentException error) {
            sayEnd(error);
            return 2;
        }
        int stagesFrom = Math.min(command.stagesFrom(), command.images().size());
        List<ImageFiles> first = command.images().subList(0, stagesFrom == 0 ? command.images().size() : stagesFrom);
        List<ImageFiles> rest = command.images().subList(first.size(), command.images().size());
        Map<String, Object> about = new LinkedHashMap<>();
        boolean sound = true;
        long start = System.nanoTime();
        try {
            try (Session session = opener.open(command.request())) {
                about.put("version", session.version());
                about.put("device", session.device());
                about.put("load_s", secondsSince(start));
                say("ready", true, about);
                sound &= runAll(session, first, command.repeat(), about);
                sound &= !command.stream() || runStream(session, command.repeat(), about);
            }
            if (!rest.isEmpty()) {
                try (Session session = opener.open(command.request().withStages())) {
                    sound &= runAll(session, rest, command.repeat(), about);
                }
            }
            return sound ? 0 : 1;
        } catch (Exception | LinkageError | OutOfMemoryError error) {
            sayEnd(error);
            return 1;
        }
    }

    private boolean runAll(Session session, List<ImageFiles> images, int repeat, Map<String, Object> about) {
        boolean sound = true;
        for (ImageFiles image : images) {
            sound &= runAndSay(session, image, repeat, about);
        }
        return sound;
    }

    private boolean runStream(Session session, int repeat, Map<String, Object> about) throws IOException {
        boolean sound = true;
        BufferedReader lines = new BufferedReader(new InputStreamReader(images, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            sound &= runAndSay(session, ImageFiles.parse(line), repeat, about);
        }
        return sound;
    }

    private boolean runAndSay(Session session, ImageFiles image, int repeat, Map<String, Object> about) {
        try {
            Map<String, Object> row = new LinkedHashMap<>(about);
            row.putAll(runOne(session, Path.of(image.input()), image.output(), repeat));
            ProcessMemory.peak().ifPresent(peak -> row.put("peak_mb", peak));
            say("input", image.input(), row);
            return true;
        } catch (Exception | OutOfMemoryError error) {
            say("input", image.input(), Map.of("error", describe(error)));
            return false;
        }
    }

    private static Map<String, Object> runOne(Session session, Path input, Path output, int repeat) throws IOException {
        NumpyArray image;
        try (InputStream stream = new BufferedInputStream(Files.newInputStream(input))) {
            image = Npy.read(stream);
        }
        int axes = image.shape().length;
        if (image.type() != ElementType.FLOAT32 || axes < 4 || axes > 5) {
            throw new IllegalArgumentException("the image must be float32 (B, C, [D,] H, W), not " + image);
        }
        NumpyArray kept = image.copy();
        List<Double> seconds = new ArrayList<>();
        Map<String, NumpyArray> results = Map.of();
        for (int turn = 0; turn < repeat; turn++) {
            long start = System.nanoTime();
            results = session.run(image);
            seconds.add(secondsSince(start));
        }
        if (!image.equals(kept)) {
            throw new IllegalStateException("the model wrote to its input image");
        }
        Npz.write(output, results);
        Map<String, long[]> shapes = new LinkedHashMap<>();
        results.forEach((name, array) -> shapes.put(name, array.shape()));
        return Map.of("run_s", seconds, "outputs", shapes);
    }

    private void sayEnd(Throwable error) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("error", describe(error));
        // A native library that does not fit this machine is the machine's lack, not the file's fault.
        row.put("unavailable", error instanceof UnavailableException || error instanceof LinkageError);
        say("input", null, row);
    }

    private void say(String key, Object value, Map<String, ?> rest) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("runtime", runtime);
        row.put(key, value);
        row.putAll(rest);
        lines.println(GSON.toJson(row));
        lines.flush();
    }

    private static String describe(Throwable error) {
        String message = error.getMessage();
        String name = error.getClass().getSimpleName();
        return message == null || message.isBlank() ? name : name + ": " + message;
    }

    private static double secondsSince(long start) {
        return (System.nanoTime() - start) / 1e9;
    }
}
