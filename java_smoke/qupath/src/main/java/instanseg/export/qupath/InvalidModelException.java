package instanseg.export.qupath;

/** A folder is not a model that QuPath's InstanSeg extension can use; the message says what is wrong with which file. */
public final class InvalidModelException extends Exception {

    private static final long serialVersionUID = 1L;

    /** Says what is wrong. */
    public InvalidModelException(String message) {
        super(message);
    }

    /** Says what is wrong, and what led to it. */
    public InvalidModelException(String message, Throwable cause) {
        super(message, cause);
    }
}
