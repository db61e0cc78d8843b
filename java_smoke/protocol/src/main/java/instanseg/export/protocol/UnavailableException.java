package instanseg.export.protocol;

/** This machine, or this format, lacks what was asked for; the file is not at fault. */
public class UnavailableException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /** Says what is lacking. */
    public UnavailableException(String message) {
        super(message);
    }
}
