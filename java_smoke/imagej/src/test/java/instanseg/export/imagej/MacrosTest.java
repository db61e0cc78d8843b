package instanseg.export.imagej;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ij.IJ;
import ij.ImagePlus;
import ij.WindowManager;
import ij.gui.Roi;
import ij.plugin.frame.RoiManager;
import ij.process.ImageProcessor;
import instanseg.export.protocol.Npy;
import instanseg.export.testing.Packages;
import java.awt.Color;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The macros of the package, run by ImageJ itself on what the model really gives. */
@ExtendWith(Screen.class)
@Timeout(300)
class MacrosTest {

    static List<Path> packages() {
        return Packages.all();
    }

    @ParameterizedTest
    @MethodSource("packages")
    void labelsBecomeOneNamedRoiPerInstance(Path folder) throws IOException {
        ImagePlus labels = segment(folder);
        Map<String, Integer> areas = areas(labels);
        assertFalse(areas.isEmpty());

        runMacro(folder, "labels_to_rois.ijm", labels);

        Map<String, Integer> found = new TreeMap<>();
        for (Roi roi : RoiManager.getInstance().getRoisAsArray()) {
            found.put(roi.getName(), roi.getContainedPoints().length);
        }
        assertEquals(areas, found);
    }

    @ParameterizedTest
    @MethodSource("packages")
    void aLabelMapWithoutInstancesGivesNoRoi(Path folder) throws IOException {
        ImagePlus empty = IJ.createImage("empty", "32-bit black", 40, 30, 1);
        runMacro(folder, "labels_to_rois.ijm", empty);
        assertEquals(0, RoiManager.getInstance().getCount());
    }

    @ParameterizedTest
    @MethodSource("packages")
    void coloursKeepNeighboursApartAndLeaveTheLabelsAlone(Path folder) throws IOException {
        ImagePlus labels = segment(folder);
        float[] before = Tensors.of(labels).floats();

        runMacro(folder, "colour_labels.ijm", labels);

        ImagePlus coloured = WindowManager.getImage("colours of " + labels.getTitle());
        assertArrayEquals(before, Tensors.of(labels).floats());
        for (int slice = 1; slice <= labels.getStackSize(); slice++) {
            ImageProcessor ids = labels.getStack().getProcessor(slice);
            coloured.setSlice(slice);
            ImageProcessor colours = coloured.getProcessor();
            Map<Integer, Integer> colourOf = new HashMap<>();
            Set<Set<Integer>> neighbours = new HashSet<>();
            for (int y = 0; y < ids.getHeight(); y++) {
                for (int x = 0; x < ids.getWidth(); x++) {
                    int id = (int) ids.getf(x, y);
                    int colour = colours.getColorModel().getRGB(colours.get(x, y)) & 0xffffff;
                    assertEquals(colour, colourOf.computeIfAbsent(id, unused -> colour), "of id " + id);
                    if (x > 0 && ids.getf(x - 1, y) != id) {
                        neighbours.add(Set.of(id, (int) ids.getf(x - 1, y)));
                    }
                }
            }
            assertEquals(0, colourOf.get(0), "the background is black");
            for (Set<Integer> pair : neighbours) {
                List<Integer> both = List.copyOf(pair);
                assertTrue(distance(colourOf.get(both.get(0)), colourOf.get(both.get(1))) > 25, () -> "ids " + pair);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("packages")
    void anRgbImageBecomesChannels(Path folder) throws IOException {
        ImagePlus image = IJ.createImage("colours", "RGB ramp", 30, 20, 1);
        image.getProcessor().setColor(new Color(200, 30, 7));
        image.getProcessor().fillRect(3, 4, 10, 6);
        float[] before = Tensors.of(image).floats();

        runMacro(folder, "prepare_image.ijm", image);

        ImagePlus prepared = WindowManager.getCurrentImage();
        assertEquals(3, prepared.getNChannels());
        assertEquals(32, prepared.getBitDepth());
        assertArrayEquals(before, Tensors.of(prepared).floats());
    }

    @ParameterizedTest
    @MethodSource("packages")
    void slicesBecomeChannelsOfTheSameValues(Path folder) throws IOException {
        int planes = ModelDescription.read(folder).channels().orElse(5);
        ImagePlus image = IJ.createImage("slices", "16-bit ramp", 30, 20, planes);
        for (int slice = 1; slice <= planes; slice++) {
            image.getStack().getProcessor(slice).set(5, 6, 60000 + slice);
        }
        float[] before = Tensors.of(image).floats();

        runMacro(folder, "prepare_image.ijm", image);

        ImagePlus prepared = WindowManager.getCurrentImage();
        assertEquals(planes, prepared.getNChannels());
        assertEquals(32, prepared.getBitDepth());
        assertArrayEquals(before, Tensors.of(prepared).floats());
    }

    private static double distance(int first, int second) {
        Color one = new Color(first);
        Color two = new Color(second);
        return Math.sqrt(Math.pow(one.getRed() - two.getRed(), 2) + Math.pow(one.getGreen() - two.getGreen(), 2)
                + Math.pow(one.getBlue() - two.getBlue(), 2));
    }

    private static ImagePlus segment(Path folder) throws IOException {
        ModelDescription description = ModelDescription.read(folder);
        try (InputStream stream = Files.newInputStream(description.testTensor("inputs"))) {
            return DeepImageJ.load(description).run(Tensors.toImage("test", Npy.read(stream)));
        }
    }

    private static void runMacro(Path folder, String name, ImagePlus image) {
        image.show();
        assertNotEquals("[aborted]", IJ.runMacroFile(folder.resolve(name).toString()));
    }

    /** The number of pixels of each instance, by the name that its ROI should have. */
    private static Map<String, Integer> areas(ImagePlus labels) {
        List<String> structures = labels.getStackSize() == 2 ? List.of("nuclei", "cells") : List.of("nuclei");
        Map<String, Integer> areas = new TreeMap<>();
        for (int slice = 1; slice <= labels.getStackSize(); slice++) {
            for (float id : (float[]) labels.getStack().getProcessor(slice).getPixels()) {
                if (id > 0) {
                    areas.merge(structures.get(slice - 1) + " " + (int) id, 1, Integer::sum);
                }
            }
        }
        return areas;
    }
}
