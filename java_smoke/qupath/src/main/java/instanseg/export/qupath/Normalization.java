package instanseg.export.qupath;

import java.util.Arrays;

/**
 * QuPath's scaling of pixel values: the 0.1 and 99.9 percentiles of each channel, taken once over the whole annotation,
 * become 0 and 1; every tile is scaled by them and clipped to [-0.5, 1.5].
 *
 * <p>The percentiles are those of the image as it lies in its file, not as it is rescaled for the model; an annotation of
 * more than 1024 pixels is shrunk to that size first.
 */
public final class Normalization {

    private static final double LARGEST = 1024;
    private static final double LOWER = 0.1;
    private static final double UPPER = 99.9;
    private static final double SMALLEST_RANGE = 1e-6;
    private static final float LOWEST = -0.5f;
    private static final float HIGHEST = 1.5f;

    private final float[] scale;
    private final float[] offset;

    private Normalization(float[] scale, float[] offset) {
        this.scale = scale;
        this.offset = offset;
    }

    /**
     * Measures an annotation.
     *
     * @param original the image as it is in its file
     * @param annotation in its pixels
     * @param channels that the model is given, from 0; none for all
     */
    public static Normalization of(Image original, Region annotation, int... channels) {
        double shrink = Math.max(1, Math.max(annotation.width(), annotation.height()) / LARGEST);
        Image small = original.read(annotation, shrink);
        return ofAllPixels(channels.length == 0 ? small : small.select(channels));
    }

    /** Measures each pixel of an image; values that are not numbers do not count. */
    static Normalization ofAllPixels(Image image) {
        Region region = image.region();
        float[] pixels = image.read(region);
        int area = region.width() * region.height();
        float[] scale = new float[image.channels()];
        float[] offset = new float[image.channels()];
        for (int channel = 0; channel < image.channels(); channel++) {
            float[] values = Arrays.copyOfRange(pixels, channel * area, (channel + 1) * area);
            Arrays.sort(values);
            int count = area;
            while (count > 0 && Float.isNaN(values[count - 1])) {
                count--;
            }
            double lower = percentile(values, count, LOWER);
            double factor = 1 / (percentile(values, count, UPPER) - lower + SMALLEST_RANGE);
            scale[channel] = (float) factor;
            offset[channel] = (float) (-lower * factor);
        }
        return new Normalization(scale, offset);
    }

    /** Returns the value of a channel that becomes 1. */
    double upper(int channel) {
        return (1 - offset[channel]) / scale[channel];
    }

    /** Linear between the two nearest values, as numpy's default. */
    private static double percentile(float[] sorted, int count, double percent) {
        if (count == 0) {
            return 0;
        }
        double place = percent / 100 * (count - 1);
        int below = (int) place;
        int above = Math.min(below + 1, count - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }

    /** Scales and clips the pixels of a tile, (C, h, w), in place. */
    public void apply(float[] tile) {
        int area = tile.length / scale.length;
        for (int place = 0; place < tile.length; place++) {
            int channel = place / area;
            float scaled = tile[place] * scale[channel] + offset[channel];
            tile[place] = Math.max(LOWEST, Math.min(HIGHEST, scaled));
        }
    }
}
