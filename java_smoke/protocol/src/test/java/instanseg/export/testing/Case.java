package instanseg.export.testing;

import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Npz;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * An image and what Python finds in it.
 *
 * @param name of the file
 * @param image (B, C, H, W) float32
 * @param settings sent along with the image, by name
 * @param labels (B, T, H, W) float32
 */
public record Case(String name, NumpyArray image, Map<String, NumpyArray> settings, NumpyArray labels) {

    private static final String SETTING = "args.";

    static Case read(Path path) {
        try {
            Map<String, NumpyArray> arrays = Npz.read(path);
            Map<String, NumpyArray> settings = new LinkedHashMap<>();
            arrays.forEach((name, array) -> {
                if (name.startsWith(SETTING)) {
                    settings.put(name.substring(SETTING.length()), array);
                }
            });
            String file = path.getFileName().toString();
            String name = file.substring(0, file.length() - ".npz".length());
            return new Case(name, arrays.get("image"), settings, arrays.get("labels"));
        } catch (IOException error) {
            throw new UncheckedIOException(path + ": " + error.getMessage(), error);
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
