package instanseg.export.ort;

import static org.junit.jupiter.api.Assertions.assertEquals;
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
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;

/** Every package finds, in this version of ONNX Runtime, what its TorchScript file finds in Python. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class AgreementTest {

    private static final Set<String> FIXED = Set.of("window_size", "target_segmentation");

    private final List<OrtModel> models = new ArrayList<>();

    @AfterAll
    void close() {
        models.forEach(OrtModel::close);
    }

    @TestFactory
    Stream<DynamicNode> asPythonFindsThem() throws Exception {
        List<DynamicNode> packages = new ArrayList<>();
        for (Path folder : Packages.all()) {
            Path file = folder.resolve("model.onnx");
            OrtModel model = OrtModel.open(file, Map.of());
            models.add(model);
            packages.add(dynamicContainer(
                    folder.getFileName().toString(),
                    Packages.cases(folder).stream()
                            .filter(one -> one.settings().keySet().stream().noneMatch(FIXED::contains))
                            .map(one -> dynamicTest(one.name(), () -> check(file, model, one)))));
        }
        return packages.stream();
    }

    private static void check(Path file, OrtModel plain, Case expected) throws Exception {
        NumpyArray found;
        if (expected.settings().isEmpty()) {
            found = plain.run(expected.image()).get(Session.RESULT);
        } else {
            try (OrtModel model = OrtModel.open(file, expected.settings())) {
                found = model.run(expected.image()).get(Session.RESULT);
            }
        }
        assertEquals("", Agreement.difference(expected.labels(), found));
    }

    @Test
    void theVersionIsTheOneThatIsTested() throws Exception {
        try (OrtModel model = OrtModel.open(Packages.all().get(0).resolve("model.onnx"), Map.of())) {
            assertEquals(System.getProperty("onnxruntime.version"), model.version());
        }
    }
}
