package instanseg.export.qupath;

import ij.process.FloatProcessor;
import ij.process.ImageProcessor;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.OptionalDouble;

/** An image in memory: float32, channels first, (C, H, W). */
public final class Image {

    private static final int COLOURS = 3;
    private static final int BRIGHTEST = 255;

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
     * Returns this image with pixels {@code downsample} times as wide.
     *
     * @param downsample above 1 makes the image smaller
     */
    public Image resample(double downsample) {
        return downsample == 1 ? this : read(region(), downsample);
    }

    /**
     * Reads a region as QuPath reads it from a file without a pyramid: a colour image (three channels of 8 bits) is drawn
     * by Java with bilinear interpolation, which skips pixels where it shrinks by more than 2; any other image is resized
     * by ImageJ, which averages.
     *
     * @param region inside this image
     * @param downsample above 1 makes the image smaller
     */
    public Image read(Region region, double downsample) {
        int newHeight = (int) Math.max(1, Math.round(region.height() / downsample));
        int newWidth = (int) Math.max(1, Math.round(region.width() / downsample));
        float[] cropped = read(region);
        float[] copy = isColour()
                ? drawn(cropped, region, newHeight, newWidth, downsample)
                : resized(cropped, region, newHeight, newWidth);
        OptionalDouble size =
                pixelSize.isPresent() ? OptionalDouble.of(pixelSize.getAsDouble() * downsample) : pixelSize;
        return new Image(channels, newHeight, newWidth, copy, size);
    }

    /** Returns whether QuPath opens this as a colour image: three channels of whole numbers from 0 to 255. */
    private boolean isColour() {
        if (channels != COLOURS) {
            return false;
        }
        for (float value : pixels) {
            if (value < 0 || value > BRIGHTEST || value != (int) value) {
                return false;
            }
        }
        return true;
    }

    private static float[] drawn(float[] values, Region region, int newHeight, int newWidth, double downsample) {
        int area = region.height() * region.width();
        BufferedImage source = new BufferedImage(region.width(), region.height(), BufferedImage.TYPE_INT_RGB);
        for (int place = 0; place < area; place++) {
            int colour = (int) values[place] << 16 | (int) values[area + place] << 8 | (int) values[2 * area + place];
            source.setRGB(place % region.width(), place / region.width(), colour);
        }
        BufferedImage target = new BufferedImage(newWidth, newHeight, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = target.createGraphics();
        graphics.scale(1 / downsample, 1 / downsample);
        if (downsample > 1) {
            graphics.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        }
        graphics.drawImage(source, 0, 0, region.width(), region.height(), null);
        graphics.dispose();
        float[] copy = new float[COLOURS * newHeight * newWidth];
        for (int place = 0; place < newHeight * newWidth; place++) {
            int colour = target.getRGB(place % newWidth, place / newWidth);
            for (int channel = 0; channel < COLOURS; channel++) {
                copy[channel * newHeight * newWidth + place] = colour >> 8 * (COLOURS - 1 - channel) & BRIGHTEST;
            }
        }
        return copy;
    }

    private float[] resized(float[] values, Region region, int newHeight, int newWidth) {
        int area = region.height() * region.width();
        float[] copy = new float[channels * newHeight * newWidth];
        for (int channel = 0; channel < channels; channel++) {
            float[] plane = Arrays.copyOfRange(values, channel * area, (channel + 1) * area);
            FloatProcessor processor = new FloatProcessor(region.width(), region.height(), plane);
            processor.setInterpolationMethod(ImageProcessor.BILINEAR);
            float[] small = (float[]) processor.resize(newWidth, newHeight, true).getPixels();
            System.arraycopy(small, 0, copy, channel * small.length, small.length);
        }
        return copy;
    }
}
