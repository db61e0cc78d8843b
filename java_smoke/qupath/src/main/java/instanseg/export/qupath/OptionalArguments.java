package instanseg.export.qupath;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import java.util.Map;

/**
 * The settings that a QuPath script adds with {@code arg(name, value)}: each becomes an array named {@code args.<name>},
 * and DJL passes all arrays whose name starts with {@code args.} to the model as one dictionary.
 */
final class OptionalArguments {

    private OptionalArguments() {}

    /**
     * Returns the arrays, in the types that the extension makes of a script's values: whole numbers and booleans keep
     * theirs, all other numbers become float32, and arrays stay arrays.
     *
     * @throws IllegalArgumentException a value is of a type that the extension does not send
     */
    static NDList toArrays(Map<String, ?> arguments, NDManager manager) {
        NDList arrays = new NDList();
        for (Map.Entry<String, ?> argument : arguments.entrySet()) {
            NDArray array = toArray(argument.getKey(), argument.getValue(), manager);
            array.setName("args." + argument.getKey());
            arrays.add(array);
        }
        return arrays;
    }

    private static NDArray toArray(String name, Object value, NDManager manager) {
        if (value instanceof Boolean flag) {
            return manager.create(flag);
        } else if (value instanceof Byte number) {
            return manager.create(number);
        } else if (value instanceof Integer number) {
            return manager.create(number);
        } else if (value instanceof Long number) {
            return manager.create(number);
        } else if (value instanceof Number number) {
            return manager.create(number.floatValue());
        } else if (value instanceof boolean[] flags) {
            return manager.create(flags);
        } else if (value instanceof byte[] numbers) {
            return manager.create(numbers);
        } else if (value instanceof int[] numbers) {
            return manager.create(numbers);
        } else if (value instanceof long[] numbers) {
            return manager.create(numbers);
        } else if (value instanceof float[] numbers) {
            return manager.create(numbers);
        }
        throw new IllegalArgumentException("The argument " + name + " cannot be sent: " + value);
    }
}
