package instanseg.export.imagej;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.YAMLException;

/** What deepImageJ takes from {@code rdf.yaml}. */
public final class ModelDescription {

    /** Axes in the order of the tensor: b for batch, c for channel, y and x. */
    public static final String AXES = "bcyx";

    /**
     * Percentiles of each channel that become 0 and 1.
     *
     * @param lower in percent
     * @param upper in percent
     */
    public record ScaleRange(double lower, double upper) {}

    private final Path folder;
    private final Map<?, ?> content;

    private ModelDescription(Path folder, Map<?, ?> content) {
        this.folder = folder;
        this.content = content;
    }

    /**
     * Reads the description of a package.
     *
     * @throws IOException it is missing or damaged, or deepImageJ could not use the model: JDLL fails at something, or
     *     there are other axes than batch, channel, y, x
     */
    public static ModelDescription read(Path folder) throws IOException {
        try (Reader reader = Files.newBufferedReader(folder.resolve("rdf.yaml"))) {
            Object content = new Yaml(new SafeConstructor(new LoaderOptions())).load(reader);
            if (!(content instanceof Map<?, ?> keys)) {
                throw new IOException(folder + "/rdf.yaml holds no keys");
            }
            List<String> violations = JdllRequirements.violations(keys);
            if (!violations.isEmpty()) {
                throw new IOException(folder + "/rdf.yaml does not suit deepImageJ: " + String.join("; ", violations));
            }
            ModelDescription description = new ModelDescription(folder, keys);
            for (String tensors : List.of("inputs", "outputs")) {
                if (!description.axes(tensors).equals(AXES)) {
                    throw new IOException("The " + tensors + " have the axes " + description.axes(tensors));
                }
            }
            description.weights();
            return description;
        } catch (YAMLException | ClassCastException | NullPointerException error) {
            throw new IOException(folder + "/rdf.yaml is no description of a model: " + error.getMessage(), error);
        }
    }

    /** Returns the TorchScript file. */
    public Path weights() {
        return folder.resolve(text(map(map(content, "weights"), "torchscript"), "source"));
    }

    /** Returns the PyTorch version that the weights need. */
    public String pytorchVersion() {
        return text(map(map(content, "weights"), "torchscript"), "pytorch_version");
    }

    /** Returns the number of channels that the model takes; empty when it takes any. */
    public Optional<Integer> channels() {
        Object names = axis("inputs", "c").get("channel_names");
        return names instanceof List<?> list ? Optional.of(list.size()) : Optional.empty();
    }

    /** Returns the axis' step; an axis of step 1 takes every size. */
    public int step(String axis) {
        return ((Number) map(axis("inputs", axis), "size").get("step")).intValue();
    }

    /** Returns the smallest size of an axis of the input, in pixels. */
    public int smallest(String axis) {
        return ((Number) map(axis("inputs", axis), "size").get("min")).intValue();
    }

    /** Returns the preprocessing that is asked for, in order. */
    public List<ScaleRange> preprocessing() {
        List<ScaleRange> steps = new ArrayList<>();
        if (tensor("inputs").get("preprocessing") instanceof List<?> entries) {
            for (Object entry : entries) {
                Map<?, ?> step = (Map<?, ?>) entry;
                Map<?, ?> keywords = map(step, "kwargs");
                if (!step.get("id").equals("scale_range") || !List.of("y", "x").equals(keywords.get("axes"))) {
                    throw new IllegalStateException("The preprocessing is not the scaling of each channel: " + step);
                }
                steps.add(new ScaleRange(number(keywords, "min_percentile"), number(keywords, "max_percentile")));
            }
        }
        return steps;
    }

    /**
     * Returns the shape for which JDLL makes room, given that of the image: each size that refers to the image's is
     * multiplied by the axis' scale, and any other is what it is.
     */
    public long[] resultShape(long[] image) {
        long[] shape = new long[AXES.length()];
        for (int place = 0; place < shape.length; place++) {
            Map<?, ?> axis = axis("outputs", AXES.substring(place, place + 1));
            if (axis.get("channel_names") instanceof List<?> names) {
                shape[place] = names.size();
            } else if (axis.get("size") instanceof Map<?, ?> size && size.get("axis_id") instanceof String reference) {
                shape[place] = (long) (image[AXES.indexOf(reference)] * number(axis, "scale"));
            } else {
                shape[place] = 1;
            }
        }
        return shape;
    }

    /** Returns the file of the test tensor of "inputs" or "outputs". */
    public Path testTensor(String tensors) {
        return folder.resolve(text(map(tensor(tensors), "test_tensor"), "source"));
    }

    /** Returns the file of the sample image of "inputs" or "outputs". */
    public Path sample(String tensors) {
        return folder.resolve(text(map(tensor(tensors), "sample_tensor"), "source"));
    }

    private String axes(String tensors) {
        StringBuilder letters = new StringBuilder();
        for (Object entry : (List<?>) tensor(tensors).get("axes")) {
            letters.append(letter((Map<?, ?>) entry));
        }
        return letters.toString();
    }

    private Map<?, ?> axis(String tensors, String letter) {
        for (Object entry : (List<?>) tensor(tensors).get("axes")) {
            if (letter.equals(letter((Map<?, ?>) entry))) {
                return (Map<?, ?>) entry;
            }
        }
        throw new NullPointerException("There is no axis " + letter);
    }

    private static String letter(Map<?, ?> axis) {
        Object name = axis.containsKey("id") ? axis.get("id") : axis.get("type");
        return name.toString().substring(0, 1);
    }

    /** deepImageJ takes models of one input and one output. */
    private Map<?, ?> tensor(String tensors) {
        return (Map<?, ?>) ((List<?>) content.get(tensors)).get(0);
    }

    private static Map<?, ?> map(Map<?, ?> keys, String key) {
        if (keys.get(key) instanceof Map<?, ?> group) {
            return group;
        }
        throw new NullPointerException("There is no group " + key);
    }

    private static String text(Map<?, ?> keys, String key) {
        return keys.get(key).toString();
    }

    private static double number(Map<?, ?> keys, String key) {
        return ((Number) keys.get(key)).doubleValue();
    }
}
