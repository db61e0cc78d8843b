package instanseg.export.protocol;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * An array in C order, as numpy keeps it.
 *
 * @param type of its elements
 * @param shape its sizes, the slowest axis first; none for a scalar
 * @param data its elements, little-endian, from position 0 on
 */
public record NumpyArray(ElementType type, long[] shape, ByteBuffer data) {

    /** Makes an array of bytes that are there. */
    public NumpyArray {
        data = data.duplicate().order(ByteOrder.LITTLE_ENDIAN).rewind();
        if (data.remaining() != byteCount(type, shape)) {
            throw new IllegalArgumentException(
                    data.remaining() + " bytes do not make " + type + " " + Arrays.toString(shape));
        }
    }

    /** Makes an array of zeros, in memory that native libraries can read. */
    public static NumpyArray zeros(ElementType type, long... shape) {
        return new NumpyArray(type, shape, ByteBuffer.allocateDirect(Math.toIntExact(byteCount(type, shape))));
    }

    /** Makes an array of floats. */
    public static NumpyArray of(float[] values, long... shape) {
        NumpyArray array = zeros(ElementType.FLOAT32, shape);
        array.data.duplicate().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(values);
        return array;
    }

    /**
     * The bytes of an array.
     *
     * @throws IllegalArgumentException if they are more than a Java buffer holds, 2 GiB, or a size is negative
     */
    static long byteCount(ElementType type, long... shape) {
        long count = type.size();
        for (long size : shape) {
            if (size < 0) {
                throw new IllegalArgumentException("a size is negative: " + Arrays.toString(shape));
            }
            count = Math.multiplyExact(count, size);
        }
        if (count > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "an array " + Arrays.toString(shape) + " has " + count + " bytes; Java's buffers end at 2 GiB");
        }
        return count;
    }

    /** The number of elements. */
    public int size() {
        return data.capacity() / type.size();
    }

    /** An element as a number; a boolean is 0 or 1. */
    public double at(int index) {
        return switch (type) {
            case FLOAT32 -> data.getFloat(4 * index);
            case INT32 -> data.getInt(4 * index);
            case INT64 -> data.getLong(8 * index);
            case BOOL -> data.get(index);
        };
    }

    /**
     * All elements as floats.
     *
     * @throws IllegalStateException if they are not
     */
    public float[] floats() {
        if (type != ElementType.FLOAT32) {
            throw new IllegalStateException("the elements are " + type + ", not FLOAT32");
        }
        float[] values = new float[size()];
        data.duplicate().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
        return values;
    }

    /** A copy that shares no memory with this. */
    public NumpyArray copy() {
        ByteBuffer bytes = ByteBuffer.allocateDirect(data.capacity());
        bytes.put(data.duplicate().rewind());
        return new NumpyArray(type, shape.clone(), bytes.rewind());
    }

    /** Whether type, shape and every byte are equal, so that a NaN equals itself. */
    @Override
    public boolean equals(Object other) {
        return other instanceof NumpyArray array
                && type == array.type
                && Arrays.equals(shape, array.shape)
                && data.duplicate().rewind().equals(array.data.duplicate().rewind());
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(shape) + data.duplicate().rewind().hashCode();
    }

    @Override
    public String toString() {
        return type + " " + Arrays.toString(shape);
    }
}
