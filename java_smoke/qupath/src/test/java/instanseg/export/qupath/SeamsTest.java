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
 * <p>Two things can make a difference, and each has its own test. The stitching must not: given the labels of the whole
 * image cut into tiles, it returns every object exactly, with no tolerance. The network does: its poolings start at the
 * tile's corner, so that it sees other pixels together, and its context ends at the tile's border. How much that may
 * change is no matter of taste either: Python itself finds other cells when the whole image is moved by 6 columns and 2
 * rows. Tiles may differ from the whole image as much as that, and no more.
 */
@Timeout(300)
class SeamsTest {

    private static final int COLUMNS = 6;
    private static final int ROWS = 2;

    /** Two ways to measure the same kind of difference differ by chance: one standard deviation of some 300 objects. */
    private static final double CHANCE = 0.03;

    @ParameterizedTest
    @CsvSource({
        "nuclei_batchnorm, large/histology_as_qupath_normalises_it, 512",
        "nuclei_batchnorm, large/histology_as_qupath_normalises_it, 1024",
        "nuclei_cells_channelnet, large/five_channels_mirrored, 512",
        "nuclei_cells_channelnet, large/five_channels_mirrored, 256",
    })
    void stitchingReturnsEveryObjectOfAPerfectNetwork(String name, String expected, int size) throws Exception {
        Path folder = Python.folder(name);
        Prediction whole = Python.labels(folder, expected);
        Region image = new Region(0, 0, whole.width(), whole.height());
        Stitcher stitcher = new Stitcher(ModelFolder.open(folder).outputs(), image, image);
        List<Region> tiles = Tiles.of(image, image, size, 80);
        assertTrue(tiles.size() > 1);
        for (Region tile : tiles) {
            stitcher.add(tile, crop(whole, tile));
        }
        List<DetectedObject> objects = Python.objects(folder, expected, 0, 0);
        int count = objects.size();
        assertEquals(new Comparison(count, count, count, count), Comparison.ofOutlines(stitcher.objects(), objects));
        int nuclei = (int) objects.stream().filter(object -> object.nucleus().isPresent()).count();
        assertEquals(
                new Comparison(nuclei, nuclei, nuclei, nuclei), Comparison.ofNuclei(stitcher.objects(), objects));
    }

    @ParameterizedTest
    @CsvSource({
        "nuclei_batchnorm, large/histology, large/histology_as_qupath_normalises_it, large/histology_moved, 20",
        "nuclei_cells_channelnet, large/five_channels_mirrored, large/five_channels_mirrored, "
                + "large/five_channels_mirrored_and_moved, 6",
    })
    void tilesDifferFromTheWholeImageNoMoreThanAMovedImage(
            String name, String raw, String expected, String moved, int tiles) throws Exception {
        Path folder = Python.folder(name);
        List<DetectedObject> python = Python.objects(folder, expected, 0, 0);
        Comparison yardstick = Comparison.ofOutlines(Python.objects(folder, moved, COLUMNS, ROWS), python);
        Image image = Python.image(folder, raw);

        InstanSegClient.Results results =
                InstanSegClient.builder(ModelFolder.open(folder)).build().detectObjects(image);

        assertEquals(List.of(), results.failures());
        assertEquals(tiles, results.tiles());
        assertNoPixelIsTakenTwice(results.objects(), image.region());
        Comparison found = Comparison.ofOutlines(results.objects(), python);
        System.out.println(name + ": in tiles " + found + ", moved " + yardstick);
        assertTrue(found.f1() >= yardstick.f1() - CHANCE, () -> found + " against " + yardstick);
        double allowed = Math.abs(yardstick.first() - yardstick.second()) + CHANCE * python.size();
        assertTrue(Math.abs(found.first() - found.second()) <= allowed, () -> found + " against " + yardstick);
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
        int[] labels = new int[whole.targets() * tile.width() * tile.height()];
        for (int row = 0; row < whole.targets() * tile.height(); row++) {
            int target = row / tile.height();
            int y = tile.y() + row % tile.height();
            int start = (target * whole.height() + y) * whole.width() + tile.x();
            System.arraycopy(whole.labels(), start, labels, row * tile.width(), tile.width());
        }
        return new Prediction(whole.targets(), tile.height(), tile.width(), labels, List.of());
    }
}
