package instanseg.export.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Whether an example in the README is the code that the tests run. */
public final class Readme {

    private static final Path ROOT = Path.of("..", "..");

    private Readme() {}

    /** Returns whether java_smoke/README.md holds what lies between the marks in a source file of java_smoke. */
    public static boolean shows(String source) throws IOException {
        List<String> lines = Files.readAllLines(ROOT.resolve(source));
        int first = indexOf("// README begins", lines) + 1;
        List<String> example = lines.subList(first, indexOf("// README ends", lines));
        String text = String.join("\n", example).stripIndent().strip();
        if (example.size() > 22) {
            throw new IllegalStateException("the example has " + example.size() + " lines; the README says twenty");
        }
        return Files.readString(ROOT.resolve("README.md")).contains(text);
    }

    private static int indexOf(String mark, List<String> lines) {
        for (int index = 0; index < lines.size(); index++) {
            if (lines.get(index).strip().equals(mark)) {
                return index;
            }
        }
        throw new IllegalStateException("there is no mark " + mark);
    }
}
