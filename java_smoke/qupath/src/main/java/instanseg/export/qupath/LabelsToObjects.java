package instanseg.export.qupath;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Makes objects of the labels of one tile.
 *
 * <p>With one label map each label is a detection. With two, the second one holds the cells and the first one their
 * nuclei: a label that occurs in both is a cell with its nucleus, and a nucleus without a cell is dropped.
 */
public final class LabelsToObjects {

    private final List<ModelFolder.Output> outputs;

    /** Takes the outputs that the model's description lists, in the order in which the model returns them. */
    public LabelsToObjects(List<ModelFolder.Output> outputs) {
        this.outputs = outputs;
    }

    /**
     * Converts one prediction.
     *
     * @param prediction of the tile
     * @param tile where it lies in the image
     * @return objects in the image's pixels, by their label
     * @throws IllegalArgumentException a further output is one that QuPath cannot use
     */
    public List<DetectedObject> convert(Prediction prediction, Region tile) {
        List<SortedMap<Integer, Mask>> maps = new ArrayList<>();
        for (int structure = 0; structure < prediction.structures(); structure++) {
            maps.add(masks(prediction, structure, tile));
        }
        SortedMap<Integer, Mask> outlines = maps.get(maps.size() - 1);
        List<DetectedObject> objects = new ArrayList<>();
        outlines.forEach((label, outline) -> {
            Optional<Mask> nucleus = maps.size() == 2 ? Optional.ofNullable(maps.get(0).get(label)) : Optional.empty();
            objects.add(describe(new DetectedObject(outline, nucleus, Optional.empty(), Map.of()), label, prediction));
        });
        return objects;
    }

    private DetectedObject describe(DetectedObject bare, int label, Prediction prediction) {
        if (prediction.rows().isEmpty()) {
            return bare;
        }
        // The extension keeps one table for all further outputs, so that the last one's rows stand for each of them.
        double[][] rows = prediction.rows().get(prediction.rows().size() - 1);
        if (label > rows.length) {
            return bare;
        }
        Optional<String> pathClass = Optional.empty();
        Map<String, Double> measurements = new LinkedHashMap<>();
        double[] values = rows[label - 1];
        for (ModelFolder.Output output : outputs.subList(1, prediction.rows().size() + 1)) {
            switch (output.name()) {
                case "detection_classes" -> pathClass = Optional.of(className(output, (int) values[values.length - 1]));
                case "detection_logits" -> {
                    for (int place = 0; place < values.length; place++) {
                        measurements.put("Logit: " + className(namesFor(output), place), values[place]);
                    }
                }
                case "detection_embeddings" -> {
                    for (int place = 0; place < values.length; place++) {
                        measurements.put("Embedding " + place, values[place]);
                    }
                }
                case "semantic_segmentation" -> throw new IllegalArgumentException(
                        "QuPath cannot use an output named " + output.name());
                default -> { } // Unknown names are passed over.
            }
        }
        return new DetectedObject(bare.outline(), bare.nucleus(), pathClass, measurements);
    }

    /** Logits are named by the classes of the output of classes, when there is one. */
    private ModelFolder.Output namesFor(ModelFolder.Output logits) {
        return outputs.stream().filter(output -> output.name().equals("detection_classes")).findFirst().orElse(logits);
    }

    private static String className(ModelFolder.Output output, int index) {
        return output.classes().isEmpty() ? "Class " + index : output.classes().get(index);
    }

    private static SortedMap<Integer, Mask> masks(Prediction prediction, int structure, Region tile) {
        int area = prediction.height() * prediction.width();
        Map<Integer, Region> boxes = new TreeMap<>();
        for (int place = 0; place < area; place++) {
            int label = prediction.labels()[structure * area + place];
            if (label > 0) {
                Region pixel = new Region(place % prediction.width(), place / prediction.width(), 1, 1);
                boxes.merge(label, pixel, Region::join);
            }
        }
        SortedMap<Integer, Mask> masks = new TreeMap<>();
        boxes.forEach((label, box) -> {
            BitSet pixels = new BitSet();
            for (int y = 0; y < box.height(); y++) {
                for (int x = 0; x < box.width(); x++) {
                    int place = (box.y() + y) * prediction.width() + box.x() + x;
                    pixels.set(y * box.width() + x, prediction.labels()[structure * area + place] == label);
                }
            }
            Region inImage = new Region(tile.x() + box.x(), tile.y() + box.y(), box.width(), box.height());
            masks.put(label, new Mask(inImage, pixels).largestPart());
        });
        return masks;
    }
}
