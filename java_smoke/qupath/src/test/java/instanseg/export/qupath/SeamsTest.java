package instanseg.export.qupath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Large images in tiles, against Python's result for the whole image.
 *
 * <p>Two things can make a difference, and each has its own test. The stitching must not: given the objects of the
 * whole image, cut by the tiles, it returns every one that is no wider than the overlap exactly, with no tolerance. The network does: in a tile its poolings start elsewhere,
 * its context ends, and an instance norm sees other statistics. How much that changes is measured, not chosen: Python
 * itself runs on windows of a tile's size, and what it finds there differs from the whole image by so much. The stitched
 * tiles may differ by as much as that, and no more.
 */
@Timeout(300)
class SeamsTest {

    /** Shares of some 250 objects and of some 400 are compared: one standard deviation of the smaller sample. */
    private static final double CHANCE = 0.03;

    @ParameterizedTest
    @CsvSource({
        "nuclei_batchnorm, large/histology_as_qupath_normalises_it, 512, 80",
        "nuclei_batchnorm, large/histology_as_qupath_normalises_it, 1024, 80",
        "nuclei_cells_channelnet, large/five_channels_mirrored, 512, 80",
        "nuclei_cells_channelnet, large/five_channels_mirrored, 256, 80",
    })
    void stitchingReturnsEveryObjectThatTheOverlapHolds(String name, String expected, int size, int padding)
            throws Exception {
        Path folder = Python.folder(name);
        Region image = Python.image(folder, expected).region();
        ModelFolder model = ModelFolder.open(folder);
        Prediction whole = paint(Python.objects(folder, expected, 0, 0), model.outputChannels(), image);
        Stitcher once = new Stitcher(model.outputs(), image, image);
        once.add(image, whole);
        // What is wider than two paddings is cut in every tile; this network makes a few such chains.
        int overlap = 2 * padding - 2;
        List<DetectedObject> objects = once.objects().stream()
                .filter(object -> object.outline().bounds().width() <= overlap)
                .filter(object -> object.outline().bounds().height() <= overlap)
                .toList();
        List<Region> tiles = Tiles.of(image, image, size, padding);
        assertTrue(tiles.size() > 1);

        Stitcher stitcher = new Stitcher(model.outputs(), image, image);
        for (Region tile : tiles) {
            stitcher.add(tile, crop(whole, tile));
        }

        int count = objects.size();
        Comparison outlines = Comparison.ofOutlines(objects, stitcher.objects());
        assertEquals(new Comparison(count, stitcher.objects().size(), count, count), outlines);
        assertTrue(stitcher.objects().size() <= once.objects().size(), "nothing is made up");
        int nuclei = (int) objects.stream().filter(object -> object.nucleus().isPresent()).count();
        assertEquals(nuclei, Comparison.ofNuclei(objects, stitcher.objects()).equal());
    }

    @ParameterizedTest
    @CsvSource({
        "nuclei_batchnorm, large/histology, large/histology_as_qupath_normalises_it, 20, large/histology_in_windows, "
                + "512, 134, 838, 258, 610",
        "nuclei_cells_channelnet, large/five_channels_mirrored, large/five_channels_mirrored, 6, "
                + "large/five_channels_in_windows, 432, 0, 624, 0, 272",
    })
    void tilesDifferFromTheWholeImageNoMoreThanPythonsOwnWindowsDo(
            String name, String raw, String expected, int tiles,
            String windows, int size, int left, int right, int top, int bottom) throws Exception {
        Path folder = Python.folder(name);
        List<DetectedObject> python = Python.objects(folder, expected, 0, 0);
        Image image = Python.image(folder, raw);
        Comparison yardstick = new Comparison(0, 0, 0, 0);
        int place = 0;
        for (int y : new int[] {top, bottom}) {
            for (int x : new int[] {left, right}) {
                Region window = new Region(x, y, size, size);
                Stitcher alone = new Stitcher(ModelFolder.open(folder).outputs(), image.region(), image.region());
                alone.add(window, Python.labels(folder, windows, place++));
                TileBorder border = new TileBorder(window, image.region());
                List<DetectedObject> within = python.stream()
                        .filter(object -> object.outline().crop(window).area() == object.outline().area())
                        .filter(border::keeps)
                        .toList();
                yardstick = yardstick.plus(Comparison.ofOutlines(alone.objects(), within));
            }
        }

        // Python measured all pixels, and so does this run: here the tiles alone may make a difference.
        InstanSegClient.Results results = InstanSegClient.builder(ModelFolder.open(folder))
                .build()
                .detectObjects(image, image.region(), Normalization.ofAllPixels(image));

        assertEquals(List.of(), results.failures());
        assertEquals(tiles, results.tiles());
        assertNoPixelIsTakenTwice(results.objects(), image.region());
        Comparison found = Comparison.ofOutlines(results.objects(), python);
        String both = name + ": stitched tiles " + found + ", Python's windows " + yardstick;
        System.out.println(both);
        assertTrue(found.f1() >= yardstick.f1() - CHANCE, both);
        assertTrue(found.changeOfCount() <= yardstick.changeOfCount() + CHANCE, both);
    }

    /** The label maps of objects; of cells, the nuclei come first. */
    private static Prediction paint(List<DetectedObject> objects, int structures, Region image) {
        int area = image.width() * image.height();
        int[] labels = new int[structures * area];
        for (int place = 0; place < objects.size(); place++) {
            DetectedObject object = objects.get(place);
            Region box = object.outline().bounds();
            for (int y = box.y(); y < box.bottom(); y++) {
                for (int x = box.x(); x < box.right(); x++) {
                    int pixel = y * image.width() + x;
                    if (object.outline().contains(x, y)) {
                        labels[(structures - 1) * area + pixel] = place + 1;
                    }
                    if (object.nucleus().isPresent() && object.nucleus().get().contains(x, y)) {
                        labels[pixel] = place + 1;
                    }
                }
            }
        }
        return new Prediction(structures, image.height(), image.width(), labels, List.of());
    }

    private static void assertNoPixelIsTakenTwice(List<DetectedObject> objects, Region image) {
        BitSet taken = new BitSet();
        int area = 0;
        for (DetectedObject object : objects) {
            Region box = object.outline().bounds();
            assertEquals(box, box.intersect(image));
            area += object.outline().area();
            for (int y = box.y(); y < box.bottom(); y++) {
                for (int x = box.x(); x < box.right(); x++) {
                    if (object.outline().contains(x, y)) {
                        taken.set(y * image.width() + x);
                    }
                }
            }
        }
        assertEquals(area, taken.cardinality());
    }

    private static Prediction crop(Prediction whole, Region tile) {
        int[] labels = new int[whole.structures() * tile.width() * tile.height()];
        for (int row = 0; row < whole.structures() * tile.height(); row++) {
            int structure = row / tile.height();
            int y = tile.y() + row % tile.height();
            int start = (structure * whole.height() + y) * whole.width() + tile.x();
            System.arraycopy(whole.labels(), start, labels, row * tile.width(), tile.width());
        }
        return new Prediction(whole.structures(), tile.height(), tile.width(), labels, List.of());
    }
}
