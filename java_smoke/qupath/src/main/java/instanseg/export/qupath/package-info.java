/**
 * What QuPath's InstanSeg extension does with a model, written from what it is known to do, so that packages can be
 * tested without QuPath: open the folder, read {@code rdf.yaml}, normalise, cut tiles, send them through a DJL predictor,
 * make objects of the labels, and join them over the borders of tiles.
 */
package instanseg.export.qupath;
