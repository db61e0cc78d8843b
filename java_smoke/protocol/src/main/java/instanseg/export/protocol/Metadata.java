package instanseg.export.protocol;

import com.google.gson.Gson;
import com.google.gson.JsonSyntaxException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * What an exported file says of itself, as far as a runner needs it.
 *
 * @param tunables the settings that it has
 * @param stages for each intermediate result the name of a tensor in the graph; empty in TorchScript
 */
public record Metadata(List<Tunable> tunables, Map<String, String> stages) {

    /** The name of the metadata property in ONNX and, with {@code .json}, of the extra file in TorchScript. */
    public static final String KEY = "instanseg_export";

    /** A setting: its name, how its value is written, the choices of a choice, and whether it is fixed in this file. */
    public record Tunable(String name, String kind, List<String> choices, boolean fixed) {}

    /** Fills in what the file does not say. */
    public Metadata {
        tunables = tunables == null ? List.of() : List.copyOf(tunables);
        stages = stages == null ? Map.of() : Map.copyOf(stages);
    }

    /**
     * Reads the JSON text.
     *
     * @throws IllegalArgumentException if it is damaged
     */
    public static Metadata parse(String text) {
        try {
            Metadata metadata = new Gson().fromJson(text, Metadata.class);
            if (metadata != null) {
                return metadata;
            }
        } catch (JsonSyntaxException error) {
            throw new IllegalArgumentException("the file's description of itself is damaged", error);
        }
        throw new IllegalArgumentException("the file's description of itself is empty");
    }

    /** Reads it from a TorchScript file; empty if that was not written by the exporter. */
    public static Optional<Metadata> ofTorchScript(Path path) throws IOException {
        String ending = "/extra/" + KEY + ".json";
        try (ZipFile zip = new ZipFile(path.toFile())) {
            Optional<? extends ZipEntry> entry =
                    zip.stream().filter(one -> one.getName().endsWith(ending)).findFirst();
            if (entry.isEmpty()) {
                return Optional.empty();
            }
            byte[] bytes = zip.getInputStream(entry.get()).readAllBytes();
            return Optional.of(parse(new String(bytes, StandardCharsets.UTF_8)));
        }
    }

    /** Finds a setting. */
    public Optional<Tunable> tunable(String name) {
        return tunables.stream().filter(one -> one.name().equals(name)).findFirst();
    }
}
