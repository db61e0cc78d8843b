/**
 * What Fiji's deepImageJ does with a model, written from what it is known to do: it reads axes, sizes and preprocessing in
 * {@code rdf.yaml}, makes a tensor of the open image, runs the TorchScript file in libtorch 2.0.0, and makes an image of
 * what comes back.
 */
package instanseg.export.imagej;
