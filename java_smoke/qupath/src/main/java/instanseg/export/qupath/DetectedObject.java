package instanseg.export.qupath;

import java.util.Map;
import java.util.Optional;

/**
 * A detection, or a cell that may have a nucleus.
 *
 * @param outline pixels of the whole object
 * @param nucleus pixels of the nucleus, of a cell that has one
 * @param pathClass name of its class, if the model gives classes
 * @param measurements by name, as the model gives them
 */
public record DetectedObject(
        Mask outline, Optional<Mask> nucleus, Optional<String> pathClass, Map<String, Double> measurements) {

    /** Returns this object with another outline and nucleus. */
    DetectedObject reshape(Mask newOutline, Optional<Mask> newNucleus) {
        return new DetectedObject(newOutline, newNucleus, pathClass, measurements);
    }
}
