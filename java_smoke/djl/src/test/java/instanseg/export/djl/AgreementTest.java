package instanseg.export.djl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Session;
import instanseg.export.testing.Agreement;
import instanseg.export.testing.Case;
import instanseg.export.testing.Packages;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/** Every package finds, in this version of libtorch, what it finds in Python. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AgreementTest {

    private final List<DjlSession> sessions = new ArrayList<>();

    @AfterAll
    void close() {
        sessions.forEach(DjlSession::close);
    }

    @TestFactory
    Stream<DynamicNode> asPythonFindsThem() throws Exception {
        List<DynamicNode> packages = new ArrayList<>();
        for (Path folder : Packages.all()) {
            DjlSession session = DjlSession.open(folder.resolve("instanseg.pt"));
            sessions.add(session);
            packages.add(dynamicContainer(
                    folder.getFileName().toString(),
                    Packages.cases(folder).stream().map(one -> dynamicTest(one.name(), () -> check(session, one)))));
        }
        return packages.stream();
    }

    private static void check(DjlSession session, Case expected) {
        Map<String, NumpyArray> found = session.run(expected.image(), expected.settings());
        assertEquals("", Agreement.difference(expected.labels(), found.get(Session.RESULT)));
    }

    @Test
    void thereIsSomethingToFind() {
        for (Path folder : Packages.all()) {
            int instances = Packages.cases(folder).stream()
                    .mapToInt(one -> Agreement.instances(one.labels()))
                    .sum();
            assertTrue(instances > 100, folder + " has but " + instances + " instances in all of its images");
        }
    }

    @Test
    void theVersionIsTheOneThatIsTested() throws Exception {
        try (DjlSession session =
                DjlSession.open(Packages.all().get(0).resolve("instanseg.pt"))) {
            assertTrue(session.version().startsWith("libtorch " + System.getProperty("libtorch.version")));
        }
    }
}
