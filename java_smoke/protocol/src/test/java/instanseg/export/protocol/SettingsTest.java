package instanseg.export.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Settings of the command line become arrays of the type that the file declares. */
class SettingsTest {

    private static final Metadata METADATA = Metadata.parse(
            """
            {"tunables": [
              {"name": "seed_threshold", "kind": "float", "fixed": false},
              {"name": "min_size", "kind": "int", "fixed": false},
              {"name": "cleanup_fragments", "kind": "bool", "fixed": false},
              {"name": "normalize", "kind": "choice", "choices": ["auto", "always", "never"], "fixed": false},
              {"name": "target_segmentation", "kind": "flags", "fixed": true}
            ]}""");

    private static Map<String, NumpyArray> encode(String json, Optional<Metadata> metadata) {
        return Settings.encode(JsonParser.parseString(json).getAsJsonObject(), metadata);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "seed_threshold | 1 | FLOAT32 | 1",
                "min_size | 7 | INT64 | 7",
                "cleanup_fragments | true | BOOL | 1",
                "normalize | \"never\" | INT64 | 2",
            })
    void ofTheTypeThatTheFileDeclares(String name, String value, ElementType type, double number) {
        NumpyArray array = encode("{\"" + name + "\": " + value + "}", Optional.of(METADATA)).get(name);
        assertEquals(type, array.type());
        assertArrayEquals(new long[0], array.shape());
        assertEquals(number, array.at(0));
    }

    @Test
    void flagsAreAList() {
        NumpyArray flags = encode("{\"target_segmentation\": [1, 0]}", Optional.of(METADATA)).get("target_segmentation");
        assertArrayEquals(new long[] {2}, flags.shape());
        assertEquals(1, flags.at(0));
        assertEquals(0, flags.at(1));
    }

    @Test
    void withoutMetadataTheValuesOwnTypeCounts() {
        Map<String, NumpyArray> arrays = encode("{\"a\": 1, \"b\": 1.0, \"c\": false, \"d\": [1]}", Optional.empty());
        assertEquals(ElementType.INT64, arrays.get("a").type());
        assertEquals(ElementType.FLOAT32, arrays.get("b").type());
        assertEquals(ElementType.BOOL, arrays.get("c").type());
        assertEquals(ElementType.INT64, arrays.get("d").type());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"colour\": 1} | the file has no setting colour",
                "{\"normalize\": \"sometimes\"} | it is one of [auto, always, never]",
                "{\"min_size\": \"many\"} | the setting min_size cannot be \"many\"",
                "{\"seed_threshold\": {}} | the setting seed_threshold cannot be {}",
            })
    void saysWhatDoesNotFit(String json, String message) {
        Throwable error =
                assertThrows(IllegalArgumentException.class, () -> encode(json, Optional.of(METADATA)));
        assertTrue(error.getMessage().contains(message), error.getMessage());
    }
}
