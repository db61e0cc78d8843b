package instanseg.export.testing;

import instanseg.export.protocol.ElementType;
import instanseg.export.protocol.NumpyArray;

/** Images made of one image (1, C, H, W) float32. */
public final class Images {

    private Images() {}

    /** An image of another size: the source from its top left corner, repeated where it ends. */
    public static NumpyArray repeat(NumpyArray source, int height, int width) {
        return window(source, 0, 0, height, width);
    }

    /** The part of an image from a row and a column on, repeated where the image ends. */
    public static NumpyArray window(NumpyArray source, int row, int column, int height, int width) {
        int channels = (int) source.shape()[1];
        int sourceHeight = (int) source.shape()[2];
        int sourceWidth = (int) source.shape()[3];
        NumpyArray image = NumpyArray.zeros(ElementType.FLOAT32, 1, channels, height, width);
        int place = 0;
        for (int channel = 0; channel < channels; channel++) {
            for (int y = 0; y < height; y++) {
                int start = (channel * sourceHeight + (row + y) % sourceHeight) * sourceWidth;
                for (int x = 0; x < width; x++) {
                    image.data().putFloat(place, source.data().getFloat(4 * (start + (column + x) % sourceWidth)));
                    place += 4;
                }
            }
        }
        return image;
    }
}
