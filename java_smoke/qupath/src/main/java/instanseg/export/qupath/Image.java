package instanseg.export.qupath;

import java.util.OptionalDouble;

/** An image in memory: float32, channels first, (C, H, W). */
public final class Image {

    private final int channels;
    private final int height;
    private final int width;
    private final float[] pixels;
    private final OptionalDouble pixelSize;

    /**
     * Wraps pixels without copying them.
     *
     * @param channels number of channels
     * @param height in pixels
     * @param width in pixels
     * @param pixels of (C, H, W)
     * @param pixelSize in micrometres; empty when the image is not calibrated
     * @throws IllegalArgumentException the number of pixels does not fit
     */
    public Image(int channels, int height, int width, float[] pixels, OptionalDouble pixelSize) {
        if (channels < 1 || height < 1 || width < 1 || (long) channels * height * width != pixels.length) {
            throw new IllegalArgumentException(
                    "An image of " + channels + " channels, " + height + " x " + width + " cannot have "
                            + pixels.length + " values");
        }
        this.channels = channels;
        this.height = height;
        this.width = width;
        this.pixels = pixels;
        this.pixelSize = pixelSize;
    }

    /** Returns the number of channels. */
    public int channels() {
        return channels;
    }

    /** Returns the whole image as a region. */
    public Region region() {
        return new Region(0, 0, width, height);
    }

    /** Returns the pixel size in micrometres, when the image is calibrated. */
    public OptionalDouble pixelSize() {
        return pixelSize;
    }

    /** Returns one value. */
    public float at(int channel, int y, int x) {
        return pixels[(channel * height + y) * width + x];
    }

    /** Returns a copy of the pixels of a region inside this image, (C, h, w). */
    public float[] read(Region region) {
        float[] copy = new float[channels * region.height() * region.width()];
        for (int row = 0; row < channels * region.height(); row++) {
            int channel = row / region.height();
            int y = region.y() + row % region.height();
            System.arraycopy(
                    pixels, (channel * height + y) * width + region.x(), copy, row * region.width(), region.width());
        }
        return copy;
    }

    /** Returns an image of some channels of this one, in the order given; the input channels of QuPath's dialog. */
    public Image select(int... wanted) {
        float[] copy = new float[wanted.length * height * width];
        for (int place = 0; place < wanted.length; place++) {
            System.arraycopy(pixels, wanted[place] * height * width, copy, place * height * width, height * width);
        }
        return new Image(wanted.length, height, width, copy, pixelSize);
    }

    /**
     * Returns this image with pixels {@code downsample} times as wide, interpolated linearly between pixel centres.
     *
     * @param downsample above 1 makes the image smaller
     */
    public Image resample(double downsample) {
        if (downsample == 1) {
            return this;
        }
        int newHeight = Math.max(1, (int) Math.round(height / downsample));
        int newWidth = Math.max(1, (int) Math.round(width / downsample));
        float[] copy = new float[channels * newHeight * newWidth];
        int place = 0;
        for (int channel = 0; channel < channels; channel++) {
            for (int y = 0; y < newHeight; y++) {
                for (int x = 0; x < newWidth; x++) {
                    copy[place++] = between(channel, (y + 0.5) * downsample - 0.5, (x + 0.5) * downsample - 0.5);
                }
            }
        }
        OptionalDouble size =
                pixelSize.isPresent() ? OptionalDouble.of(pixelSize.getAsDouble() * downsample) : pixelSize;
        return new Image(channels, newHeight, newWidth, copy, size);
    }

    private float between(int channel, double y, double x) {
        double row = Math.max(0, Math.min(height - 1, y));
        double column = Math.max(0, Math.min(width - 1, x));
        int top = (int) row;
        int left = (int) column;
        int below = Math.min(top + 1, height - 1);
        int right = Math.min(left + 1, width - 1);
        double down = row - top;
        double across = column - left;
        double upper = at(channel, top, left) * (1 - across) + at(channel, top, right) * across;
        double lower = at(channel, below, left) * (1 - across) + at(channel, below, right) * across;
        return (float) (upper * (1 - down) + lower * down);
    }
}
