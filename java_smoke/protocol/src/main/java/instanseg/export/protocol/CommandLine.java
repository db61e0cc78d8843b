package instanseg.export.protocol;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The arguments of a runner.
 *
 * <pre>
 * --model FILE --input a.npy [b.npy ...] --output a.npz [b.npz ...] [--device D] [--repeat N] [--settings JSON] [--stages | --stages-from N]
 * --model FILE --stream [--device D] [--repeat N] [--settings JSON] [--stages]
 * </pre>
 *
 * @param request what to load, for the first image
 * @param images those that are named; none with {@code --stream}
 * @param stream whether the images come on stdin
 * @param repeat how often each image is run, at least once
 * @param stagesFrom the place of the first image whose stages are wanted
 */
public record CommandLine(Request request, List<ImageFiles> images, boolean stream, int repeat, int stagesFrom) {

    private static final List<String> OPTIONS = List.of(
            "--model",
            "--input",
            "--output",
            "--stream",
            "--device",
            "--repeat",
            "--settings",
            "--stages",
            "--stages-from");

    /**
     * Reads the arguments.
     *
     * @throws IllegalArgumentException if they are not as above
     */
    public static CommandLine parse(String... arguments) {
        Map<String, List<String>> values = new LinkedHashMap<>();
        List<String> current = null;
        for (String argument : arguments) {
            if (argument.startsWith("--")) {
                if (!OPTIONS.contains(argument)) {
                    throw new IllegalArgumentException("there is no option " + argument + ", only " + OPTIONS);
                }
                current = values.computeIfAbsent(argument, option -> new ArrayList<>());
            } else if (current == null) {
                throw new IllegalArgumentException("an option must come before " + argument);
            } else {
                current.add(argument);
            }
        }
        List<String> inputs = values.getOrDefault("--input", List.of());
        List<String> outputs = values.getOrDefault("--output", List.of());
        boolean stream = values.containsKey("--stream");
        if (inputs.isEmpty() != stream || inputs.size() != outputs.size()) {
            throw new IllegalArgumentException(
                    "either --stream is needed, or --input and --output with the same number of files");
        }
        List<ImageFiles> images = new ArrayList<>();
        for (int index = 0; index < inputs.size(); index++) {
            images.add(new ImageFiles(inputs.get(index), Path.of(outputs.get(index))));
        }
        String from = one(values, "--stages-from", Integer.toString(Integer.MAX_VALUE));
        int stagesFrom = values.containsKey("--stages") ? 0 : Integer.parseInt(from);
        Request request = new Request(
                Path.of(one(values, "--model", null)),
                one(values, "--device", "cpu"),
                settings(one(values, "--settings", "{}")),
                stagesFrom == 0);
        int repeat = Math.max(1, Integer.parseInt(one(values, "--repeat", "1")));
        return new CommandLine(request, images, stream, repeat, stagesFrom);
    }

    private static String one(Map<String, List<String>> values, String option, String otherwise) {
        List<String> found = values.get(option);
        if (found == null && otherwise != null) {
            return otherwise;
        }
        if (found == null || found.size() != 1) {
            throw new IllegalArgumentException(option + " needs one value");
        }
        return found.get(0);
    }

    private static JsonObject settings(String json) {
        try {
            return JsonParser.parseString(json).getAsJsonObject();
        } catch (JsonParseException | IllegalStateException error) {
            throw new IllegalArgumentException("--settings needs a JSON object, not " + json, error);
        }
    }
}
