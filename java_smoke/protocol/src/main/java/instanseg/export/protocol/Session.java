package instanseg.export.protocol;

import java.util.Map;

/** A loaded model. */
public interface Session extends AutoCloseable {

    /** The name of the result, (B, T, H, W). */
    String RESULT = "instance_segmentation";

    /** The prefix of the names of intermediate results. */
    String STAGE = "stage.";

    /** The version of the library that runs the model. */
    String version();

    /** Where it runs. */
    String device();

    /**
     * Segments a batch of images.
     *
     * @param image (B, C, [D,] H, W) float32
     * @return {@link #RESULT} and, where they were asked for, the stages, when they are all there
     * @throws ModelException if the model refuses the image
     */
    Map<String, NumpyArray> run(NumpyArray image);

    @Override
    void close();
}
