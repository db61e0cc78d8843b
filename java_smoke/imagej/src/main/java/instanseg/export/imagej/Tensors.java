package instanseg.export.imagej;

import ij.CompositeImage;
import ij.IJ;
import ij.ImagePlus;
import ij.ImageStack;
import ij.process.FloatProcessor;
import ij.process.ImageProcessor;
import instanseg.export.protocol.NumpyArray;
import java.util.Arrays;

/** ImageJ's images as tensors (1, C, H, W), and back. */
final class Tensors {

    private static final int COLOURS = 3;

    private Tensors() {}

    /** Returns the channels of an image; an RGB image has three. */
    static NumpyArray of(ImagePlus image) {
        int area = image.getWidth() * image.getHeight();
        if (image.getType() == ImagePlus.COLOR_RGB) {
            float[] values = new float[COLOURS * area];
            for (int channel = 0; channel < COLOURS; channel++) {
                copy(image.getProcessor().toFloat(channel, null), values, channel * area);
            }
            return tensor(values, COLOURS, image);
        }
        // What was opened as a stack of slices is taken for channels when there is but one channel.
        int channels = image.getStackSize();
        float[] values = new float[channels * area];
        for (int channel = 0; channel < channels; channel++) {
            copy(image.getStack().getProcessor(channel + 1).convertToFloatProcessor(), values, channel * area);
        }
        return tensor(values, channels, image);
    }

    private static void copy(ImageProcessor plane, float[] values, int start) {
        float[] pixels = (float[]) plane.getPixels();
        System.arraycopy(pixels, 0, values, start, pixels.length);
    }

    private static NumpyArray tensor(float[] values, int channels, ImagePlus image) {
        return NumpyArray.of(values, 1, channels, image.getHeight(), image.getWidth());
    }

    /** Returns an image of 32 bits whose channels are those of a tensor of one image. */
    static ImagePlus toImage(String title, NumpyArray tensor) {
        long[] shape = tensor.shape();
        int channels = (int) shape[1];
        int height = (int) shape[2];
        int width = (int) shape[3];
        float[] values = tensor.floats();
        ImageStack stack = new ImageStack(width, height);
        for (int channel = 0; channel < channels; channel++) {
            int start = channel * height * width;
            stack.addSlice(new FloatProcessor(width, height, Arrays.copyOfRange(values, start, start + height * width)));
        }
        ImagePlus image = IJ.createHyperStack(title, width, height, channels, 1, 1, 32);
        image.setStack(stack, channels, 1, 1);
        return channels > 1 ? new CompositeImage(image, CompositeImage.GRAYSCALE) : image;
    }
}
