package instanseg.export.imagej;

import ij.ImagePlus;
import instanseg.export.djl.DjlSession;
import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Session;
import java.io.IOException;
import java.util.Arrays;

/** Runs a model on an image that is open in ImageJ, the way deepImageJ does. */
public final class DeepImageJ {

    /** More values than this, and deepImageJ cuts the image into tiles whose ids collide. */
    static final long LARGEST_TILE = 4096L * 4096 * 3;

    private static final double SMALLEST_RANGE = 1e-6;

    private final ModelDescription description;
    private final DjlSession session;

    private DeepImageJ(ModelDescription description, DjlSession session) {
        this.description = description;
        this.session = session;
    }

    /**
     * Loads a model.
     *
     * @throws IOException libtorch cannot load its weights
     */
    public static DeepImageJ load(ModelDescription description) throws IOException {
        return new DeepImageJ(description, DjlSession.open(description.weights()));
    }

    /** Returns the version of libtorch that runs the model. */
    public String version() {
        return session.version();
    }

    /** Runs the model on an image; the result has one channel of ids for each structure. */
    public ImagePlus run(ImagePlus image) {
        return Tensors.toImage(image.getTitle() + " labels", run(preprocess(Tensors.of(image))));
    }

    /**
     * Runs the model on a tensor (1, C, H, W) as it is.
     *
     * @throws IllegalArgumentException the model takes another number of channels, the image is not one tile, or the
     *     result has another shape than the description says
     */
    public NumpyArray run(NumpyArray tensor) {
        long[] shape = tensor.shape();
        description.channels().ifPresent(channels -> {
            if (channels != shape[1]) {
                throw new IllegalArgumentException(
                        "The model takes " + channels + " channels, but the image has " + shape[1]);
            }
        });
        if (!isOneTile(shape)) {
            throw new IllegalArgumentException("An image " + Arrays.toString(shape) + " would be cut into tiles");
        }
        NumpyArray result = session.run(tensor).get(Session.RESULT);
        long[] expected = description.resultShape(shape);
        if (!Arrays.equals(expected, result.shape())) {
            throw new IllegalArgumentException("Trying to set an array with a different shape than the Tensor. Tensor shape is: "
                    + Arrays.toString(expected) + " and array shape is: " + Arrays.toString(result.shape()));
        }
        return result;
    }

    /** Returns whether an image of this shape goes through the model in one piece. */
    boolean isOneTile(long[] shape) {
        boolean anySize = description.step("y") == 1 && description.step("x") == 1;
        return anySize && Arrays.stream(shape).reduce(1, Math::multiplyExact) <= LARGEST_TILE;
    }

    /** Does what the description asks for: the percentiles of each channel become 0 and 1. */
    NumpyArray preprocess(NumpyArray tensor) {
        float[] values = tensor.floats();
        int area = (int) (tensor.shape()[2] * tensor.shape()[3]);
        for (ModelDescription.ScaleRange range : description.preprocessing()) {
            for (int start = 0; start < values.length; start += area) {
                scale(values, start, area, range);
            }
        }
        return NumpyArray.of(values, tensor.shape());
    }

    private static void scale(float[] values, int start, int area, ModelDescription.ScaleRange range) {
        float[] sorted = Arrays.copyOfRange(values, start, start + area);
        Arrays.sort(sorted);
        double lower = percentile(sorted, range.lower());
        double upper = percentile(sorted, range.upper());
        for (int place = start; place < start + area; place++) {
            values[place] = (float) ((values[place] - lower) / (upper - lower + SMALLEST_RANGE));
        }
    }

    private static double percentile(float[] sorted, double percent) {
        double place = percent / 100 * (sorted.length - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }
}
