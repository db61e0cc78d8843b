package instanseg.export.imagej;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ij.IJ;
import ij.ImagePlus;
import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Npy;
import instanseg.export.testing.Agreement;
import instanseg.export.testing.Packages;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

@ExtendWith(Screen.class)
@Timeout(300)
class DeepImageJTest {

    private static final Map<Path, DeepImageJ> LOADED = new HashMap<>();

    static List<Path> packages() {
        return Packages.all();
    }

    private static DeepImageJ load(Path folder) throws IOException {
        if (!LOADED.containsKey(folder)) {
            LOADED.put(folder, DeepImageJ.load(ModelDescription.read(folder)));
        }
        return LOADED.get(folder);
    }

    @ParameterizedTest
    @MethodSource("packages")
    void runsTheTestTensorInTheLibtorchOfFiji(Path folder) throws IOException {
        ModelDescription description = ModelDescription.read(folder);
        DeepImageJ model = load(folder);
        assertTrue(model.version().startsWith("libtorch 2.0.0"), model.version());
        assertEquals("2.0.0", description.pytorchVersion());

        NumpyArray input = read(description.testTensor("inputs"));
        NumpyArray expected = read(description.testTensor("outputs"));
        assertNotEquals(0, Agreement.instances(expected));
        assertEquals("", Agreement.difference(expected, model.run(model.preprocess(input))));
    }

    @ParameterizedTest
    @MethodSource("packages")
    void findsTheSameWithAndWithoutThePreprocessingOfTheDescription(Path folder) throws IOException {
        ModelDescription description = ModelDescription.read(folder);
        DeepImageJ model = load(folder);
        NumpyArray raw = read(description.testTensor("inputs"));
        assertFalse(description.preprocessing().isEmpty());
        NumpyArray scaled = model.preprocess(raw);
        assertNotEquals(raw, scaled);
        assertEquals("", Agreement.difference(model.run(raw), model.run(scaled)));
    }

    @ParameterizedTest
    @MethodSource("packages")
    void makesLabelsOfTheSampleThatImageJOpens(Path folder) throws IOException {
        ModelDescription description = ModelDescription.read(folder);
        ImagePlus labels = load(folder).run(open(description.sample("inputs")));
        ImagePlus expected = open(description.sample("outputs"));
        assertEquals(expected.getStackSize(), labels.getStackSize());
        assertEquals("", Agreement.difference(Tensors.of(expected), Tensors.of(labels)));
    }

    @ParameterizedTest
    @MethodSource("packages")
    void takesAnImageOfAnySizeInOnePiece(Path folder) throws IOException {
        ModelDescription description = ModelDescription.read(folder);
        DeepImageJ model = load(folder);
        int channels = description.channels().orElse(2);
        NumpyArray odd = NumpyArray.of(new float[channels * 61 * 83], 1, channels, 61, 83);
        assertEquals(0, Agreement.instances(model.run(odd)));
        assertTrue(model.isOneTile(new long[] {1, 3, 4096, 4096}));
        assertFalse(model.isOneTile(new long[] {1, 3, 4097, 4096}));
    }

    @ParameterizedTest
    @MethodSource("packages")
    void refusesAnotherNumberOfChannels(Path folder) throws IOException {
        ModelDescription description = ModelDescription.read(folder);
        DeepImageJ model = load(folder);
        if (description.channels().isPresent()) {
            int wrong = description.channels().get() + 1;
            ImagePlus image = IJ.createHyperStack("wrong", 64, 64, wrong, 1, 1, 32);
            Exception error = assertThrows(IllegalArgumentException.class, () -> model.run(image));
            assertTrue(error.getMessage().endsWith("but the image has " + wrong), error.getMessage());
        } else {
            for (int channels : new int[] {1, 4}) {
                ImagePlus image = IJ.createHyperStack("any", 64, 64, channels, 1, 1, 32);
                assertEquals(64, model.run(image).getWidth());
            }
        }
    }

    @Test
    void readsTheThreeChannelsOfAnRgbImage() {
        ImagePlus image = IJ.createImage("colours", "RGB", 2, 1, 1);
        image.getProcessor().putPixel(1, 0, new int[] {10, 20, 30});
        NumpyArray tensor = Tensors.of(image);
        assertEquals(List.of(10.0, 20.0, 30.0), List.of(tensor.at(1), tensor.at(3), tensor.at(5)));
    }

    @Test
    void saysWhatIsWrongWithADescription(@TempDir Path folder) throws IOException {
        Files.writeString(folder.resolve("rdf.yaml"), "name: nothing else\n");
        IOException error = assertThrows(IOException.class, () -> ModelDescription.read(folder));
        assertTrue(error.getMessage().contains("rdf.yaml"), error.getMessage());
    }

    private static ImagePlus open(Path path) {
        return IJ.openImage(path.toString());
    }

    private static NumpyArray read(Path path) throws IOException {
        try (InputStream stream = Files.newInputStream(path)) {
            return Npy.read(stream);
        }
    }
}
