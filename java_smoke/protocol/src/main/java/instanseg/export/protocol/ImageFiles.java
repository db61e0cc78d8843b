package instanseg.export.protocol;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.file.Path;

/**
 * An image and the place of its results.
 *
 * @param input the image, as it was named
 * @param output where its results go
 */
public record ImageFiles(String input, Path output) {

    /**
     * Reads a line of stdin: {@code {"input": "a.npy", "output": "a.npz"}}.
     *
     * @throws IllegalArgumentException if it is something else
     */
    public static ImageFiles parse(String line) {
        try {
            JsonObject row = JsonParser.parseString(line).getAsJsonObject();
            return new ImageFiles(
                    row.get("input").getAsString(), Path.of(row.get("output").getAsString()));
        } catch (RuntimeException error) {
            throw new IllegalArgumentException("no line of images: " + line, error);
        }
    }
}
