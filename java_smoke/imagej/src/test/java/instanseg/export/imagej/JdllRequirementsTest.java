package instanseg.export.imagej;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import instanseg.export.testing.Packages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;

/** Each package pleases JDLL, and with any one thing broken it does not. */
class JdllRequirementsTest {

    /** One thing that is broken in a description, and what JDLL says to it. */
    private record Fault(String name, String message, Consumer<Map<String, Object>> breaking) {

        @Override
        public String toString() {
            return name;
        }
    }

    private record Member(Path folder, Fault fault) {

        @Override
        public String toString() {
            return folder.getFileName() + ": " + fault;
        }
    }

    private static List<Fault> faults() {
        List<Fault> faults = new ArrayList<>();
        faults.add(new Fault("no id", "modelID is null", rdf -> rdf.remove("id")));
        faults.add(new Fault("format 0.6", "format_version", rdf -> rdf.put("format_version", "0.6.0")));
        faults.add(new Fault("format as a number", "format_version is no text", rdf -> rdf.put("format_version", 0.5)));
        faults.add(new Fault("no name", "no name", rdf -> rdf.remove("name")));
        faults.add(new Fault("empty timestamp", "timestamp", rdf -> rdf.put("timestamp", null)));
        faults.add(new Fault("no weights", "weights", rdf -> rdf.remove("weights")));
        faults.add(new Fault("no TorchScript", "weights", rdf -> group(rdf, "weights").remove("torchscript")));
        faults.add(new Fault("no tiling", "allow_tiling", rdf -> group(rdf, "config").put("deepimagej", Map.of())));
        for (String key : List.of("authors", "cite")) {
            faults.add(new Fault("no " + key, "a list " + key, rdf -> rdf.remove(key)));
        }
        for (String key : List.of("name", "id", "description", "license", "documentation")) {
            faults.add(new Fault(key + " as a number", key + " is no text", rdf -> rdf.put(key, 12)));
        }
        faults.add(new Fault("documentation as a group", "documentation is no text",
                rdf -> rdf.put("documentation", Map.of("source", "README.md"))));
        for (String tensors : List.of("inputs", "outputs")) {
            faults.add(new Fault("no axes of " + tensors, "no axes", rdf -> tensor(rdf, tensors).remove("axes")));
            for (int place = 0; place < ModelDescription.AXES.length(); place++) {
                int index = place;
                faults.add(new Fault("no type of axis " + place + " of " + tensors, "no type",
                        rdf -> axis(rdf, tensors, index).remove("type")));
            }
            faults.add(new Fault("a named batch axis of " + tensors, "not by one letter",
                    rdf -> axis(rdf, tensors, 0).put("id", "batch")));
            faults.add(new Fault("channels without names of " + tensors, "channelNames is null", rdf -> {
                axis(rdf, tensors, 1).put("id", "channel");
                axis(rdf, tensors, 1).remove("channel_names");
            }));
            faults.add(new Fault("an index axis without id of " + tensors, "not by one letter", rdf -> {
                axis(rdf, tensors, 1).put("type", "index");
                axis(rdf, tensors, 1).remove("id");
            }));
            faults.add(new Fault("an index axis of a long id of " + tensors, "not by one letter", rdf -> {
                axis(rdf, tensors, 1).put("type", "index");
                axis(rdf, tensors, 1).put("id", "instance");
            }));
            for (int place : new int[] {2, 3}) {
                faults.add(new Fault("a space axis " + place + " of a long id of " + tensors, "not by one letter",
                        rdf -> axis(rdf, tensors, place).put("id", "height")));
                faults.add(new Fault("a scale as a text on axis " + place + " of " + tensors, "scale",
                        rdf -> axis(rdf, tensors, place).put("scale", "0.5")));
            }
        }
        faults.add(new Fault("an axis i of the input", "no axis i", rdf -> {
            axis(rdf, "inputs", 1).put("type", "index");
            axis(rdf, "inputs", 1).put("id", "i");
        }));
        for (int place : new int[] {2, 3}) {
            faults.add(new Fault("a step of 32 on axis " + place, "tiled", rdf -> size(rdf, "inputs", place).put("step", 32)));
            faults.add(new Fault("a pixel size on axis " + place, "is not 1",
                    rdf -> axis(rdf, "outputs", place).put("scale", 0.5)));
            faults.add(new Fault("no scale on axis " + place, "is not 1",
                    rdf -> axis(rdf, "outputs", place).remove("scale")));
            faults.add(new Fault("a reference to an output on axis " + place, "no input instance_segmentation",
                    rdf -> size(rdf, "outputs", place).put("tensor_id", "instance_segmentation")));
            faults.add(new Fault("a reference to no axis on axis " + place, "has no axis",
                    rdf -> size(rdf, "outputs", place).put("axis_id", "channel")));
        }
        faults.add(new Fault("rows from 0 on", "from 0 on", rdf -> {
            axis(rdf, "outputs", 1).put("type", "index");
            axis(rdf, "outputs", 1).put("id", "i");
            axis(rdf, "outputs", 1).put("size", Map.of("min", 0));
        }));
        faults.add(new Fault("softmax", "softmax", rdf -> tensor(rdf, "inputs")
                .put("preprocessing", List.of(Map.of("id", "softmax", "kwargs", Map.of())))));
        faults.add(new Fault("no kwargs", "kwargs", rdf -> tensor(rdf, "inputs")
                .put("preprocessing", List.of(Map.of("id", "scale_range")))));
        faults.add(new Fault("two inputs", "one image", rdf -> entries(rdf, "inputs").add(Map.copyOf(tensor(rdf, "inputs")))));
        faults.add(new Fault("no outputs", "no outputs", rdf -> rdf.remove("outputs")));
        return faults;
    }

    static Stream<Member> members() {
        return Packages.all().stream().flatMap(folder -> faults().stream().map(fault -> new Member(folder, fault)));
    }

    @ParameterizedTest
    @MethodSource("instanseg.export.testing.Packages#all")
    void everyPackagePleasesJdll(Path folder) throws IOException {
        assertEquals(List.of(), JdllRequirements.violations(read(folder)));
    }

    @ParameterizedTest
    @MethodSource("members")
    void aPackageWithOneThingBrokenDoesNot(Member member, @TempDir Path copy) throws IOException {
        Map<String, Object> content = read(member.folder());
        member.fault().breaking().accept(content);
        Files.writeString(copy.resolve("rdf.yaml"), new Yaml().dump(content));
        IOException error = assertThrows(IOException.class, () -> ModelDescription.read(copy));
        assertTrue(error.getMessage().contains(member.fault().message()), error.getMessage());
    }

    private static Map<String, Object> read(Path folder) throws IOException {
        Yaml yaml = new Yaml(new SafeConstructor(new LoaderOptions()));
        return yaml.load(Files.readString(folder.resolve("rdf.yaml")));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> group(Map<String, Object> keys, String key) {
        return (Map<String, Object>) keys.get(key);
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> entries(Map<String, Object> keys, String key) {
        return (List<Map<String, Object>>) keys.get(key);
    }

    private static Map<String, Object> tensor(Map<String, Object> rdf, String tensors) {
        return entries(rdf, tensors).get(0);
    }

    private static Map<String, Object> axis(Map<String, Object> rdf, String tensors, int place) {
        return entries(tensor(rdf, tensors), "axes").get(place);
    }

    private static Map<String, Object> size(Map<String, Object> rdf, String tensors, int place) {
        return group(axis(rdf, tensors, place), "size");
    }
}
