package instanseg.export.qupath;

import instanseg.export.protocol.NumpyArray;
import instanseg.export.testing.Packages;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Assumptions;

/** What Python wrote down, as this client's images and predictions. */
final class Python {

    private Python() {}

    /** Returns the package of a shared checkpoint; the test is skipped on a machine without that checkpoint. */
    static Path folder(String name) {
        Path folder = Packages.all().get(0).resolveSibling(name);
        Assumptions.assumeTrue(Files.isDirectory(folder), () -> "the checkpoint " + name + " is not on this machine");
        return folder;
    }

    static Image image(Path folder, String name) {
        NumpyArray array = Packages.expected(folder, name).image();
        long[] shape = array.shape();
        return new Image((int) shape[1], (int) shape[2], (int) shape[3], array.floats(), OptionalDouble.empty());
    }

    static Prediction labels(Path folder, String name) {
        return labels(folder, name, 0);
    }

    /** Returns the labels of one image of a batch. */
    static Prediction labels(Path folder, String name, int image) {
        NumpyArray array = Packages.expected(folder, name).labels();
        long[] shape = array.shape();
        int[] labels = new int[array.size() / (int) shape[0]];
        for (int place = 0; place < labels.length; place++) {
            labels[place] = (int) array.at(image * labels.length + place);
        }
        return new Prediction((int) shape[1], (int) shape[2], (int) shape[3], labels, List.of());
    }

    /** Returns the objects that QuPath would make of Python's labels of a whole image that starts at a pixel. */
    static List<DetectedObject> objects(Path folder, String name, int x, int y) throws InvalidModelException {
        Prediction labels = labels(folder, name);
        Region region = new Region(x, y, labels.width(), labels.height());
        Stitcher stitcher = new Stitcher(ModelFolder.open(folder).outputs(), region, region);
        stitcher.add(region, labels);
        return stitcher.objects();
    }
}
