package instanseg.export.protocol;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Settings as the arrays that a file expects: a choice becomes its index. */
public final class Settings {

    private Settings() {}

    /**
     * Encodes settings.
     *
     * @param values from the command line
     * @param metadata what the file says of its settings; if nothing, each value's own type counts
     * @throws IllegalArgumentException if the file has no such setting, or a value does not fit
     */
    public static Map<String, NumpyArray> encode(JsonObject values, Optional<Metadata> metadata) {
        Map<String, NumpyArray> arrays = new LinkedHashMap<>();
        for (Map.Entry<String, JsonElement> entry : values.entrySet()) {
            String name = entry.getKey();
            try {
                arrays.put(name, encode(name, entry.getValue(), metadata));
            } catch (NumberFormatException | IllegalStateException | UnsupportedOperationException error) {
                throw new IllegalArgumentException("the setting " + name + " cannot be " + entry.getValue(), error);
            }
        }
        return arrays;
    }

    private static NumpyArray encode(String name, JsonElement value, Optional<Metadata> metadata) {
        if (metadata.isEmpty()) {
            return array(kindOf(name, value), value);
        }
        Metadata.Tunable tunable = metadata.get()
                .tunable(name)
                .orElseThrow(() -> new IllegalArgumentException("the file has no setting " + name));
        if (!tunable.kind().equals("choice")) {
            return array(tunable.kind(), value);
        }
        int index = tunable.choices().indexOf(value.getAsString());
        if (index < 0) {
            throw new IllegalArgumentException(
                    "the setting " + name + " cannot be " + value + ": it is one of " + tunable.choices());
        }
        return array("int", new JsonPrimitive(index));
    }

    private static String kindOf(String name, JsonElement value) {
        if (value instanceof JsonArray) {
            return "flags";
        }
        if (value instanceof JsonPrimitive primitive && primitive.isBoolean()) {
            return "bool";
        }
        if (value instanceof JsonPrimitive primitive && primitive.isNumber()) {
            return primitive.getAsString().matches("-?[0-9]+") ? "int" : "float";
        }
        throw new IllegalArgumentException("the file does not say how the setting " + name + " = " + value + " is written");
    }

    private static NumpyArray array(String kind, JsonElement value) {
        List<JsonElement> elements = new ArrayList<>();
        boolean list = value instanceof JsonArray;
        if (list) {
            value.getAsJsonArray().forEach(elements::add);
        } else {
            elements.add(value);
        }
        ElementType type =
                switch (kind) {
                    case "float" -> ElementType.FLOAT32;
                    case "int", "flags" -> ElementType.INT64;
                    case "bool" -> ElementType.BOOL;
                    default -> throw new IllegalArgumentException("settings of kind " + kind + " are not supported");
                };
        NumpyArray array = NumpyArray.zeros(type, list ? new long[] {elements.size()} : new long[0]);
        for (int index = 0; index < elements.size(); index++) {
            JsonElement element = elements.get(index);
            switch (type) {
                case FLOAT32 -> array.data().putFloat(4 * index, element.getAsFloat());
                case INT64 -> array.data().putLong(8 * index, element.getAsLong());
                default -> array.data().put(index, (byte) (element.getAsBoolean() ? 1 : 0));
            }
        }
        return array;
    }
}
