package instanseg.export.protocol;

/** The element types that the protocol knows, with their name in a .npy header (little-endian) and their size. */
public enum ElementType {
    FLOAT32("<f4", 4),
    INT32("<i4", 4),
    INT64("<i8", 8),
    BOOL("|b1", 1);

    private final String descr;
    private final int size;

    ElementType(String descr, int size) {
        this.descr = descr;
        this.size = size;
    }

    /** The name in a .npy header. */
    public String descr() {
        return descr;
    }

    /** Bytes of an element. */
    public int size() {
        return size;
    }

    /**
     * Finds the type of a .npy header.
     *
     * @throws IllegalArgumentException if the protocol does not know it
     */
    public static ElementType of(String descr) {
        for (ElementType type : values()) {
            if (type.descr.equals(descr)) {
                return type;
            }
        }
        throw new IllegalArgumentException("elements of type " + descr + " are not supported");
    }
}
