/* Nothing: what any program costs that is linked as this one is. */
int main(void)
{
	return 0;
}
