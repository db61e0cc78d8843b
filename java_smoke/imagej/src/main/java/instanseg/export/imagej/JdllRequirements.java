package instanseg.export.imagej;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What JDLL, the library by which deepImageJ reads and tiles a model, assumes of {@code rdf.yaml} beyond the format itself.
 *
 * <p>The versions are 0.5.10, 0.6.1 (which deepImageJ 3.1 has) and 0.6.3. JDLL is not in the public repositories, so its
 * classes cannot run here; each rule stands for a place at which they fail. A description must please all three to be read
 * and tiled; to apply preprocessing as the format writes it takes 0.6.
 */
final class JdllRequirements {

    private static final List<String> TEXTS =
            List.of("format_version", "name", "id", "description", "license", "documentation", "git_repo", "type");
    private static final Set<String> PREPROCESSING = Set.of(
            "scale_range", "scale_linear", "zero_mean_unit_variance", "fixed_zero_mean_unit_variance", "clip", "binarize",
            "ensure_dtype");
    private static final String LETTERS = "bcxyz";

    private final Map<?, ?> content;
    private final List<String> violations = new ArrayList<>();

    private JdllRequirements(Map<?, ?> content) {
        this.content = content;
    }

    /** Returns what JDLL would fail at; empty when it can use the model. */
    static List<String> violations(Map<?, ?> content) {
        JdllRequirements requirements = new JdllRequirements(content);
        requirements.checkResource();
        requirements.checkTensors();
        return requirements.violations;
    }

    private void require(boolean holds, String otherwise) {
        if (!holds) {
            violations.add(otherwise);
        }
    }

    private void checkResource() {
        for (String key : TEXTS) {
            require(!content.containsKey(key) || content.get(key) instanceof String, key + " is no text");
        }
        String version = content.get("format_version") instanceof String text ? text : "";
        require(version.startsWith("0.5"), "format_version is not 0.5");
        require(content.get("name") != null, "there is no name");
        require(content.get("id") != null || nickname() instanceof String, "this.modelID is null: there is no id");
        require(!content.containsKey("timestamp") || content.get("timestamp") != null, "timestamp is null");
        for (String key : List.of("authors", "cite")) {
            require(content.get(key) instanceof List<?>, "the text about the model needs a list " + key);
        }
        require(inner(content, "weights", "torchscript").get("source") instanceof String, "there are no weights to run");
        if (content.get("config") instanceof Map<?, ?> config && config.get("deepimagej") instanceof Map<?, ?> own) {
            require(Boolean.TRUE.equals(own.get("allow_tiling")), "config.deepimagej without allow_tiling switches it off");
        }
    }

    private Object nickname() {
        return inner(content, "config", "bioimageio").get("nickname");
    }

    private void checkTensors() {
        List<Map<?, ?>> inputs = groups(content.get("inputs"));
        List<Map<?, ?>> outputs = groups(content.get("outputs"));
        require(inputs.size() == 1, "deepImageJ gives a model one image");
        require(!outputs.isEmpty(), "there are no outputs");
        for (Map<?, ?> input : inputs) {
            checkInput(input);
        }
        for (Map<?, ?> output : outputs) {
            checkOutput(output, inputs);
        }
    }

    private void checkInput(Map<?, ?> input) {
        String letters = letters(input);
        for (String letter : letters.split("")) {
            require(LETTERS.contains(letter), "an image in ImageJ has no axis " + letter);
        }
        for (Map<?, ?> axis : groups(input.get("axes"))) {
            boolean inPlane = "x".equals(axis.get("id")) || "y".equals(axis.get("id"));
            require(!inPlane || Integer.valueOf(1).equals(inner(axis, "size").get("step")), "the image would be tiled");
        }
        for (Map<?, ?> step : groups(input.get("preprocessing"))) {
            require(PREPROCESSING.contains(step.get("id")), "it does not know the preprocessing " + step.get("id"));
            require(step.get("kwargs") instanceof Map<?, ?>, "preprocessing without kwargs");
        }
    }

    private void checkOutput(Map<?, ?> output, List<Map<?, ?>> inputs) {
        letters(output);
        Set<Object> references = new HashSet<>();
        for (Map<?, ?> axis : groups(output.get("axes"))) {
            Map<?, ?> size = inner(axis, "size");
            Object reference = size.get("tensor_id");
            if (reference == null) {
                require(!Integer.valueOf(0).equals(size.get("min")), "Model specs too complex: a size from 0 on");
                require(size.get("step") == null, "Model specs too complex: an output with a step of its own");
                continue;
            }
            references.add(reference);
            List<Map<?, ?>> named =
                    inputs.stream().filter(input -> reference.equals(input.get("id"))).toList();
            require(!named.isEmpty(), "there is no input " + reference);
            String letter = String.valueOf(size.get("axis_id"));
            require(named.stream().allMatch(input -> letter.length() == 1 && letters(input).contains(letter)),
                    "the input has no axis " + letter);
            // Sizes are multiplied by the scale, which 0.5.10 takes for -1 where there is none.
            require(axis.get("scale") instanceof Number scale && scale.doubleValue() == 1,
                    "the result has another shape than the Tensor: the scale of axis " + letter + " is not 1");
        }
        require(references.size() == 1, "Model specs too complex: an output refers to " + references.size() + " inputs");
    }

    /** Returns the letters of a tensor's axes in their order, as JDLL shortens them. */
    private String letters(Map<?, ?> tensor) {
        StringBuilder letters = new StringBuilder();
        for (Map<?, ?> axis : groups(tensor.get("axes"))) {
            String letter = letter(axis);
            require(letter.length() == 1, "an axis is called " + letter + ", and not by one letter");
            require(!letters.toString().contains(letter), "two axes " + letter);
            letters.append(letter);
        }
        require(!letters.isEmpty(), "a tensor has no axes");
        return letters.toString();
    }

    private String letter(Map<?, ?> axis) {
        Object id = axis.get("id");
        Object type = axis.get("type");
        require(type instanceof String, "an axis has no type");
        require(axis.get("scale") == null || axis.get("scale") instanceof Number, "a scale is no number");
        if ("batch".equals(type)) {
            return id == null ? "b" : id.toString();
        }
        if ("channel".equals(id) || "channel".equals(type)) {
            require(axis.get("channel_names") instanceof List<?>, "this.channelNames is null");
            return "c";
        }
        return String.valueOf(id);
    }

    private static List<Map<?, ?>> groups(Object entries) {
        List<Map<?, ?>> groups = new ArrayList<>();
        if (entries instanceof List<?> list) {
            for (Object entry : list) {
                if (entry instanceof Map<?, ?> group) {
                    groups.add(group);
                }
            }
        }
        return groups;
    }

    /** Returns a group within groups; an empty one where there is none. */
    private static Map<?, ?> inner(Map<?, ?> keys, String... path) {
        Map<?, ?> group = keys;
        for (String key : path) {
            group = group.get(key) instanceof Map<?, ?> found ? found : Map.of();
        }
        return group;
    }
}
