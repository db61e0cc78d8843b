package instanseg.export.qupath;

import java.util.List;

/**
 * What the model gives for one tile.
 *
 * @param structures number of label maps, 1 or 2
 * @param height of the tile
 * @param width of the tile
 * @param labels (structures, height, width); 0 is background
 * @param rows of each further output; row r is about the object with label r + 1
 */
public record Prediction(int structures, int height, int width, int[] labels, List<double[][]> rows) {}
