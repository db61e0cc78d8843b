package instanseg.export.protocol;

/** A model cannot be loaded, or refuses what it was given. */
public class ModelException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /** Says why, in a sentence; the cause is what the library threw. */
    public ModelException(String message, Throwable cause) {
        super(message, cause);
    }
}
