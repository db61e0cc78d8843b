package instanseg.export.djl;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ai.djl.engine.EngineException;
import org.junit.jupiter.api.Test;

/** The reason is found in what libtorch really sends. */
class ComplaintTest {

    @Test
    void ofAnOperatorThatIsNotThere() {
        String message =
                """

                Unknown builtin op: aten::rms_norm.
                Could not find any similar ops to aten::rms_norm. This op may not exist.
                :
                  File "code/__torch__/network.py", line 19
                    x: Tensor,
                """;
        assertEquals("Unknown builtin op: aten::rms_norm.", Complaint.of(new EngineException(message)));
    }

    @Test
    void ofWhatTheModelRaised() {
        String message =
                """
                The following operation failed in the TorchScript interpreter.
                Traceback of TorchScript, serialized code (most recent call last):
                  File "code/__torch__/forward.py", line 144, in forward
                      ops.prim.RaiseException(_40, "builtins.ValueError")
                      ~~~~~~~~~~~~~~~~~~~~~~~ <--- HERE
                builtins.ValueError: this model takes 3 channels, the image has 1
                """;
        Exception error = new RuntimeException("outer", new EngineException(message));
        assertEquals("this model takes 3 channels, the image has 1", Complaint.of(error));
    }
}
