package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.codehaus.groovy.control.CompilationUnit;
import org.codehaus.groovy.control.CompilationFailedException;
import org.codehaus.groovy.control.Phases;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * The script of the guide, by the compiler of QuPath's script editor: its syntax alone, since QuPath's classes, which the
 * next phase would look for, are not in the public repositories.
 */
class GroovyScriptTest {

    private static final Path SCRIPT = Path.of("..", "..", "docs", "qupath_script.groovy");

    @Test
    void theScriptOfTheGuideIsGroovy() throws IOException {
        Assumptions.assumeTrue(Files.exists(SCRIPT), "the guide is not part of this copy");
        parse(Files.readString(SCRIPT));
    }

    @Test
    void aSlipInItWouldBeNoticed() throws IOException {
        Assumptions.assumeTrue(Files.exists(SCRIPT), "the guide is not part of this copy");
        String script = Files.readString(SCRIPT);
        String part = "outputs as int[])";
        assertTrue(script.contains(part));
        assertThrows(CompilationFailedException.class, () -> parse(script.replace(part, "outputs as int[]")));
    }

    private static void parse(String script) {
        CompilationUnit unit = new CompilationUnit();
        unit.addSource("qupath_script.groovy", script);
        unit.compile(Phases.CONVERSION);
    }
}
