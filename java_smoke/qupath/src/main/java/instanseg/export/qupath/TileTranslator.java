package instanseg.export.qupath;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorContext;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Turns a tile into the arrays that QuPath sends, and the arrays that come back into labels.
 *
 * <p>The tile is sent as (C, H, W). No batchifier is named, so DJL stacks it, and every argument with it: the model gets
 * (1, C, H, W), and a scalar argument arrives with the shape (1).
 */
final class TileTranslator implements Translator<TileTranslator.Tile, Prediction> {

    /** Pixels of a tile, (channels, height, width). */
    record Tile(int channels, int height, int width, float[] pixels) {}

    private final Map<String, ?> arguments;
    private final Optional<int[]> structures;

    /**
     * Makes a translator.
     *
     * @param arguments settings to send with each tile
     * @param structures 1 for each structure that is wanted and 0 for the others; empty when none was deselected
     */
    TileTranslator(Map<String, ?> arguments, Optional<int[]> structures) {
        this.arguments = arguments;
        this.structures = structures;
    }

    @Override
    public NDList processInput(TranslatorContext context, Tile tile) {
        NDManager manager = context.getNDManager();
        Shape shape = new Shape(tile.channels(), tile.height(), tile.width());
        NDList arrays = new NDList(manager.create(tile.pixels(), shape));
        arrays.addAll(OptionalArguments.toArrays(arguments, manager));
        if (structures.isPresent()) {
            NDArray flags = manager.create(structures.get()).toDevice(Device.cpu(), false);
            flags.setName("args.target_segmentation");
            arrays.add(flags);
        }
        return arrays;
    }

    @Override
    public Prediction processOutput(TranslatorContext context, NDList outputs) {
        NDArray labels = outputs.get(0);
        long[] shape = labels.getShape().getShape();
        if (shape.length != 3 || shape[0] < 1 || shape[0] > 2) {
            throw new IllegalStateException("Expected 1 or 2 label maps, but the model gives " + labels.getShape());
        }
        List<double[][]> rows = new ArrayList<>();
        for (NDArray output : outputs.subList(1, outputs.size())) {
            rows.add(toRows(output));
        }
        return new Prediction((int) shape[0], (int) shape[1], (int) shape[2], toIntegers(labels), rows);
    }

    private static int[] toIntegers(NDArray labels) {
        if (labels.getDataType() == DataType.INT32) {
            return labels.toIntArray();
        }
        float[] values = labels.toType(DataType.FLOAT32, false).toFloatArray();
        int[] rounded = new int[values.length];
        for (int place = 0; place < values.length; place++) {
            rounded[place] = Math.round(values[place]);
        }
        return rounded;
    }

    private static double[][] toRows(NDArray output) {
        int count = (int) output.getShape().get(0);
        int width = (int) (output.getShape().size() / Math.max(1, count));
        double[] values = output.toType(DataType.FLOAT64, false).toDoubleArray();
        double[][] rows = new double[count][width];
        for (int row = 0; row < count; row++) {
            System.arraycopy(values, row * width, rows[row], 0, width);
        }
        return rows;
    }
}
