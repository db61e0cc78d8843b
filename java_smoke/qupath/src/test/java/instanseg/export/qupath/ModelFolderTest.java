package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import instanseg.export.testing.Packages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ModelFolderTest {

    static List<Path> packages() {
        return Packages.all();
    }

    @ParameterizedTest
    @MethodSource("packages")
    void everyPackageHasWhatQuPathReads(Path folder) throws Exception {
        ModelFolder model = ModelFolder.open(folder);
        assertTrue(model.version().isPresent());
        String readme = model.readme().orElseThrow();
        String listed = "`local/" + model.name() + "-" + model.version().orElseThrow() + "`";
        assertTrue(readme.contains(listed), "the button beside the list shows the README, which tells its entry");
        assertTrue(model.pixelSize() > 0);
        assertEquals("instance_segmentation", model.outputs().get(0).name());
        assertFalse(model.outputs().stream().anyMatch(output -> output.name().equals("semantic_segmentation")));
    }

    @Test
    void fixedAndFreeChannelsAndStructuresAreTold() throws Exception {
        ModelFolder nuclei = ModelFolder.open(Python.folder("nuclei_batchnorm"));
        assertEquals(OptionalInt.of(3), nuclei.inputChannels());
        assertEquals(1, nuclei.outputChannels());
        ModelFolder both = ModelFolder.open(Python.folder("nuclei_cells_channelnet"));
        assertEquals(OptionalInt.empty(), both.inputChannels());
        assertEquals(2, both.outputChannels());
    }

    @ParameterizedTest
    @CsvSource({"0.5, 1", "0.25, 2", "0.2495, 2", "0.2, 2.5", "1, 0.5"})
    void theDownsampleIsRoundedWhenItIsNearlyWhole(double imagePixelSize, double expected, @TempDir Path folder)
            throws Exception {
        ModelFolder model = described(folder, VALID);
        assertEquals(0.5, model.pixelSize());
        assertEquals(expected, model.downsample(OptionalDouble.of(imagePixelSize)), 1e-9);
        assertEquals(1, model.downsample(OptionalDouble.empty()));
    }

    @Test
    void theListShowsFolderNameAndVersion(@TempDir Path models) throws Exception {
        Path folder = Files.createDirectories(models.resolve("local").resolve("any"));
        assertEquals("local/test-0.1.0", described(folder, VALID).listed());
    }

    @Test
    void modelYmlIsReadBeforeRdfYaml(@TempDir Path folder) throws Exception {
        Files.writeString(folder.resolve("model.yml"), VALID.replace("scale: 0.5", "scale: 0.25"));
        assertEquals(0.25, described(folder, VALID).pixelSize());
        Files.delete(folder.resolve("rdf.yaml"));
        assertThrows(InvalidModelException.class, () -> ModelFolder.open(folder), "it is not listed without");
    }

    @Test
    void classesAreTakenFromTheValuesOfTheData(@TempDir Path folder) throws Exception {
        ModelFolder model = described(folder, VALID);
        assertEquals(List.of("tumour", "stroma"), model.outputs().get(1).classes());
        assertEquals(List.of(), model.outputs().get(0).classes());
    }

    @ParameterizedTest
    @CsvSource({
        "'name: test', 'title: test', 'has no name'",
        "'type: channel', 'type: space', 'no channel axis'",
        "'id: y', 'id: z', 'has no axis y'",
        "'scale: 0.5', 'scale: 0', 'scale'",
        "'channel_names: [nuclei, cells]', 'channel_names: [a, b, c]', 'QuPath takes 1 or 2'",
        "'outputs:', 'results:', 'no list outputs'",
        "'name: test', '- {', 'cannot be read'",
        "'name: test', 'name: !!java.net.URL [\"http://example.com\"]', 'cannot be read'",
    })
    void whatQuPathCouldNotUseIsRefused(String part, String replacement, String reason, @TempDir Path folder) {
        assertTrue(VALID.contains(part));
        Exception error = assertThrows(
                InvalidModelException.class, () -> described(folder, VALID.replace(part, replacement)));
        assertTrue(error.getMessage().contains(reason), error.getMessage());
    }

    @Test
    void aMissingFileIsNamed(@TempDir Path folder) throws IOException {
        Files.writeString(folder.resolve("rdf.yaml"), VALID);
        Exception error = assertThrows(InvalidModelException.class, () -> ModelFolder.open(folder));
        assertTrue(error.getMessage().endsWith("instanseg.pt"), error.getMessage());
    }

    @ParameterizedTest
    @MethodSource("packages")
    void anImageOfFinerPixelsGivesTheSameObjects(Path folder, @TempDir Path copy) throws Exception {
        Files.copy(folder.resolve("instanseg.pt"), copy.resolve("instanseg.pt"));
        String description = Files.readString(folder.resolve("rdf.yaml"));
        String bare = description.replaceAll("(?m)^\\s*scale: .*\n", "");
        Files.writeString(copy.resolve("rdf.yaml"), bare.replaceAll("(?m)^(\\s*)id: ([yx])$", "$0\n$1scale: 0.5"));
        ModelFolder model = ModelFolder.open(copy);
        assertEquals(0.5, model.pixelSize());
        // In colours, of which QuPath takes the middle ones: that of four equal pixels is the same again.
        Image image = Python.image(folder, "sample_histology");
        Region region = image.region();
        float[] pixels = image.read(region);
        OptionalDouble size = OptionalDouble.of(0.5);
        Image coarse = new Image(image.channels(), region.height(), region.width(), pixels, size);
        Image fine = doubled(image);

        List<DetectedObject> expected = InstanSegClient.builder(model).build().detectObjects(coarse).objects();
        List<DetectedObject> found = InstanSegClient.builder(model).build().detectObjects(fine).objects();
        int count = expected.size();
        assertTrue(count > 0 || folder.endsWith("multihead_seeds2_coords4"), "there are objects to find");
        assertEquals(new Comparison(count, count, count, count), Comparison.ofOutlines(found, expected));
    }

    /** Each pixel four times, at half the pixel size. */
    private static Image doubled(Image image) {
        Region region = image.region();
        int height = 2 * region.height();
        int width = 2 * region.width();
        float[] pixels = new float[image.channels() * height * width];
        for (int place = 0; place < pixels.length; place++) {
            int row = place / width;
            pixels[place] = image.at(row / height, row % height / 2, place % width / 2);
        }
        return new Image(image.channels(), height, width, pixels, OptionalDouble.of(0.25));
    }

    private static final String VALID = """
            name: test
            version: 0.1.0
            inputs:
            - id: raw
              axes:
              - type: batch
              - type: index
                id: channel
                size: {min: 1, step: 1}
            outputs:
            - id: instance_segmentation
              axes:
              - type: batch
              - type: channel
                id: channel
                channel_names: [nuclei, cells]
              - type: space
                id: y
                scale: 0.5
              - type: space
                id: x
                scale: 0.5
            - id: detection_classes
              data:
                values: [tumour, stroma]
            """;

    private static ModelFolder described(Path folder, String description) throws Exception {
        Files.writeString(folder.resolve("rdf.yaml"), description);
        Files.writeString(folder.resolve("instanseg.pt"), "");
        return ModelFolder.open(folder);
    }
}
