package instanseg.export.protocol;

import com.google.gson.JsonObject;
import java.nio.file.Path;

/**
 * What the command line asks for.
 *
 * @param model the file
 * @param device "cpu", "cuda", "cuda:1", "mps"
 * @param settings name to value, as they came in JSON
 * @param stages whether intermediate results are wanted too
 */
public record Request(Path model, String device, JsonObject settings, boolean stages) {

    /** A model with its own settings on the CPU. */
    public static Request of(Path model) {
        return new Request(model, "cpu", new JsonObject(), false);
    }

    /** The same with its stages. */
    public Request withStages() {
        return new Request(model, device, settings, true);
    }

    /**
     * Makes sure that the device is the CPU.
     *
     * @param library the name of what runs on nothing else
     * @throws UnavailableException if another was asked for
     */
    public void requireCpu(String library) {
        if (!device.equals("cpu")) {
            throw new UnavailableException(library + " was built here for the CPU alone, not for " + device);
        }
    }
}
