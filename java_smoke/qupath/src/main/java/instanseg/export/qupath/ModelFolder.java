package instanseg.export.qupath;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.YAMLException;

/**
 * A model as QuPath sees it: a folder with {@code instanseg.pt} and {@code rdf.yaml}. It reads name, version, pixel size,
 * channels and outputs from the first of {@code model.yaml}, {@code model.yml} and {@code rdf.yaml} that is there.
 * Everything is taken from the very keys that QuPath takes it from.
 */
public final class ModelFolder {

    private static final String WEIGHTS = "instanseg.pt";
    private static final String DESCRIPTION = "rdf.yaml";
    private static final List<String> DESCRIPTIONS = List.of("model.yaml", "model.yml", DESCRIPTION);

    /**
     * One output of the model.
     *
     * @param name its id; it decides what QuPath does with it
     * @param classes names of the classes, by index; empty when there are none
     */
    public record Output(String name, List<String> classes) {}

    private final Path path;
    private final Map<?, ?> content;

    private ModelFolder(Path path, Map<?, ?> content) {
        this.path = path;
        this.content = content;
    }

    /**
     * Opens a folder.
     *
     * @throws InvalidModelException a file is missing, or the description lacks something that QuPath needs
     */
    public static ModelFolder open(Path path) throws InvalidModelException {
        for (String file : List.of(WEIGHTS, DESCRIPTION)) {
            if (!Files.isRegularFile(path.resolve(file))) {
                throw new InvalidModelException(path + " has no file " + file);
            }
        }
        Path description = DESCRIPTIONS.stream()
                .map(path::resolve)
                .filter(Files::isRegularFile)
                .findFirst()
                .orElseThrow();
        ModelFolder folder = new ModelFolder(path, load(description));
        // What QuPath only meets while it runs is refused here, where the message can still name the file.
        folder.name();
        folder.pixelSize();
        folder.inputChannels();
        folder.outputChannels();
        folder.outputs();
        return folder;
    }

    private static Map<?, ?> load(Path file) throws InvalidModelException {
        try (Reader reader = Files.newBufferedReader(file)) {
            Object content = new Yaml(new SafeConstructor(new LoaderOptions())).load(reader);
            if (content instanceof Map<?, ?> map) {
                return map;
            }
            throw new InvalidModelException(file + " holds no keys");
        } catch (YAMLException | IOException error) {
            throw new InvalidModelException(file + " cannot be read: " + error.getMessage(), error);
        }
    }

    /** Returns the TorchScript file. */
    public Path weights() {
        return path.resolve(WEIGHTS);
    }

    /** Returns how the list of models shows a model that was not downloaded by QuPath. */
    public String listed() throws InvalidModelException {
        String parent = path.toAbsolutePath().getParent().getFileName().toString();
        return (parent.equals(name()) ? "" : parent + "/") + name() + version().map(text -> "-" + text).orElse("");
    }

    /** Returns the name. */
    public String name() throws InvalidModelException {
        return text(content, "name", "the model");
    }

    /** Returns the version. */
    public Optional<String> version() {
        return Optional.ofNullable(content.get("version")).map(Object::toString);
    }

    /** Returns what the button beside the model's name shows: the text of {@code <name>_README.md}. */
    public Optional<String> readme() throws InvalidModelException, IOException {
        Path file = path.resolve(name() + "_README.md");
        return Files.isRegularFile(file) ? Optional.of(Files.readString(file)) : Optional.empty();
    }

    /**
     * Returns the pixel size in micrometres that an image is brought to: the mean {@code scale} of x and y of the first
     * output. Without a scale it is 1, the default of the format.
     */
    public double pixelSize() throws InvalidModelException {
        return (scale("x") + scale("y")) / 2;
    }

    private double scale(String id) throws InvalidModelException {
        Map<?, ?> axis = axes("outputs").stream()
                .filter(candidate -> id.equals(candidate.get("id")))
                .findFirst()
                .orElseThrow(() -> new InvalidModelException("The first output has no axis " + id));
        Object scale = axis.containsKey("scale") ? axis.get("scale") : Double.valueOf(1);
        if (scale instanceof Number number && number.doubleValue() > 0) {
            return number.doubleValue();
        }
        throw new InvalidModelException("The scale of the first output's axis " + id + " is " + scale);
    }

    /**
     * Returns how much an image is shrunk for this model: the ratio of pixel sizes, or the whole number next to it when
     * they differ by at most a hundredth; 1 when the image is not calibrated.
     */
    public double downsample(OptionalDouble imagePixelSize) throws InvalidModelException {
        if (imagePixelSize.isEmpty()) {
            return 1;
        }
        double exact = pixelSize() / imagePixelSize.getAsDouble();
        double whole = Math.rint(exact);
        return whole > 0 && Math.abs(exact - whole) / whole < 0.01 ? whole : exact;
    }

    /** Returns the number of channels that the model takes; empty when it takes any. */
    public OptionalInt inputChannels() throws InvalidModelException {
        Map<?, ?> axis = channelAxis("inputs");
        if ("channel".equals(axis.get("type"))) {
            return OptionalInt.of(list(axis, "channel_names", "the channel axis of the input").size());
        }
        if (axis.get("size") instanceof Map<?, ?> size && size.get("step") instanceof Number step) {
            if (step.intValue() == 1) {
                return OptionalInt.empty();
            }
            return OptionalInt.of(((Number) size.get("min")).intValue());
        }
        throw new InvalidModelException("The size of the input's index axis has no step");
    }

    /** Returns the number of label maps in the first output: 1 or 2. */
    public int outputChannels() throws InvalidModelException {
        int count = list(channelAxis("outputs"), "channel_names", "the channel axis of the first output").size();
        if (count < 1 || count > 2) {
            throw new InvalidModelException("The first output has " + count + " channels; QuPath takes 1 or 2");
        }
        return count;
    }

    /** Returns the outputs in their order. */
    public List<Output> outputs() throws InvalidModelException {
        List<Output> outputs = new ArrayList<>();
        for (Object entry : list(content, "outputs", "the model")) {
            if (!(entry instanceof Map<?, ?> output)) {
                throw new InvalidModelException("An output is not a group of keys");
            }
            List<String> classes = List.of();
            if (output.get("data") instanceof Map<?, ?> data && data.get("values") instanceof List<?> values) {
                classes = values.stream().map(Object::toString).toList();
            }
            outputs.add(new Output(text(output, "id", "an output"), classes));
        }
        return outputs;
    }

    private Map<?, ?> channelAxis(String tensors) throws InvalidModelException {
        return axes(tensors).stream()
                .filter(axis -> "channel".equals(axis.get("type")) || "index".equals(axis.get("type")))
                .findFirst()
                .orElseThrow(() -> new InvalidModelException("The first of the " + tensors + " has no channel axis"));
    }

    private List<Map<?, ?>> axes(String tensors) throws InvalidModelException {
        List<?> entries = list(content, tensors, "the model");
        if (!entries.isEmpty() && entries.get(0) instanceof Map<?, ?> first) {
            List<Map<?, ?>> axes = new ArrayList<>();
            for (Object axis : list(first, "axes", "the first of the " + tensors)) {
                if (axis instanceof Map<?, ?> keys) {
                    axes.add(keys);
                }
            }
            return axes;
        }
        throw new InvalidModelException("The model has no " + tensors);
    }

    private static List<?> list(Map<?, ?> keys, String key, String owner) throws InvalidModelException {
        if (keys.get(key) instanceof List<?> entries) {
            return entries;
        }
        throw new InvalidModelException("In " + DESCRIPTION + ", " + owner + " has no list " + key);
    }

    private static String text(Map<?, ?> keys, String key, String owner) throws InvalidModelException {
        if (keys.get(key) instanceof String text) {
            return text;
        }
        throw new InvalidModelException("In " + DESCRIPTION + ", " + owner + " has no " + key);
    }
}
